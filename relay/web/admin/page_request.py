"""A request for a page, as the pages read it."""

from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request

from relay.web.admin.messages import Translator, choose_language, translator
from relay.web.admin.rights import actor, may_act, may_read
from relay.web.admin.services import Services

MAX_TEXT: Final = 500  # characters of a filter
MAX_FORM: Final = 4 * 1024 * 1024  # bytes: a pasted hook, percent-encoded twice
LANGUAGE_COOKIE, THEME_COOKIE = "relay_language", "relay_theme"


class FormTooLarge(Exception):
    """A form is larger than any that the pages send."""


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
        self.may_read = may_read(request)
        self.may_act = may_act(request)
        self.actor = actor(request)
        self.form: dict[str, list[str]] = {}  # of a POST, once it is let in

    def text(self, name: str) -> str:
        """Return a parameter of the address; empty where there is none."""
        return self.request.query_params.get(name, "").strip()[:MAX_TEXT]

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def field(self, name: str) -> str:
        """Return a field of the form; empty where there is none."""
        return self.form.get(name, [""])[0].strip()

    async def read_form(self) -> None:
        """Read the fields of a form. Raises FormTooLarge."""
        body = b""
        async for part in self.request.stream():
            body += part
            if len(body) > MAX_FORM:
                raise FormTooLarge
        self.form = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=2000)
