"""A request for a page, as the pages read it."""

from typing import Final

from starlette.requests import Request

from relay.store.acts import Author
from relay.web.admin.messages import Translator, choose_language, translator
from relay.web.admin.rights import author, form_of, form_token, may_act
from relay.web.admin.services import Services

MAX_TEXT: Final = 500  # characters of a filter
LANGUAGE_COOKIE, THEME_COOKIE = "relay_language", "relay_theme"


class PageRequest:
    """What is asked for, by whom, and in which language."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.services: Services = request.app.state.services
        cookies = request.cookies
        language = choose_language(cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))
        self.translator: Translator = translator(language)
        theme = cookies.get(THEME_COOKIE, "")
        self.theme = theme if theme in ("light", "dark") else ""
        self.may_act = may_act(request)

    def text(self, name: str) -> str:
        """Return a parameter of the address; empty where there is none."""
        return self.request.query_params.get(name, "").strip()[:MAX_TEXT]

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def field(self, name: str) -> str:
        """Return a field of the form; empty where there is none."""
        return form_of(self.request).get(name, "").strip()

    def fields(self, name: str) -> list[str]:
        """Return all fields of this name: what was marked."""
        return form_of(self.request).getlist(name)

    @property
    def form_token(self) -> str:
        """Return what each form of this page must send along."""
        return form_token(self.request)

    @property
    def author(self) -> Author:
        """Return who acts, and the reason that the form gives."""
        return author(self.request, self.field("why")[:MAX_TEXT])
