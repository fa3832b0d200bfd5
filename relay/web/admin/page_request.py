"""A request for a page, as the pages read it."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from relay.store.acts import Author
from relay.translation.messages import Translator, translator
from relay.web.admin.refusal import language_of, theme_of
from relay.web.admin.rights import How, author, form_of, form_token, may_act, operator_of
from relay.web.admin.services import Services

MAX_TEXT: Final = 500  # characters of a filter


class PageRequest:
    """What is asked for, by whom, and in which language."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.services: Services = request.app.state.services
        self.translator: Translator = translator(language_of(request))
        self.theme = theme_of(request)
        self.may_act = may_act(request)

    def text(self, name: str) -> str:
        """Return a parameter of the address; empty where there is none."""
        return self.request.query_params.get(name, "").strip()[:MAX_TEXT]

    def link(self, **changes: str) -> str:
        """Return the address of this page with some of its parameters changed; empty ones are left out."""
        given = {**self.request.query_params, **changes}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

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
    def signed_in_as(self) -> str:
        """Return by which name this browser has signed in; empty where it has not: a program, or this machine."""
        operator = operator_of(self.request)
        return operator.by if operator is not None and operator.how is How.SESSION else ""

    @property
    def form_token(self) -> str:
        """Return what each form of this page must send along."""
        return form_token(self.request)

    @property
    def author(self) -> Author:
        """Return who acts, and the reason that the form gives."""
        return author(self.request, self.field("why")[:MAX_TEXT])
