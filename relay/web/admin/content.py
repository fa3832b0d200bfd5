"""What the function of a page returns: a template with its values, or what was done."""

from collections.abc import Mapping, Sequence

from relay.model import Record
from relay.translation.messages import UiText


class Content(Record):
    """A page to be rendered. `title`: of the browser's tab, behind the number of problems."""

    template: str
    title: "UiText | str"
    values: Mapping[str, object] = {}
    status: int = 200


class Done(Record):
    """What came of an act, to be shown on the page `to`. Not `ok`: nothing was done, and the lines say why."""

    lines: Sequence["UiText | str"]
    to: str
    ok: bool = True


class NotThere(Exception):
    """There is no such thing; the message says so."""

    def __init__(self, message: "UiText | str") -> None:
        super().__init__(message)
        self.message = message
