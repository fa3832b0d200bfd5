"""A diagnosis: how one thing stands, what that means, and what to do about it."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from relay.model import Record

Grade: TypeAlias = Literal["good", "warning", "bad"]
ActName: TypeAlias = Literal[
    "resume-sink",
    "probe-sink",
    "enable-subscription",
    "list-deliveries",
    "move-deliveries",
    "list-events",
    "show-sink",
    "show-source",
    "show-action",
    "show-routes",
    "show-system",
]


class HelpfulAct(Record):
    """The one act that helps: pages show it as a button, the command line as a command.

    `target` is the sink, source or subscription that it is about; `filters` those of a list that it opens.
    """

    name: ActName
    command: str
    target: str = ""
    filters: Mapping[str, str] = {}


class Diagnosis(Record):
    """How one thing stands. What that means and what to do is there where it is not good.

    Of what is not good, `kind` and `subject` make an id that stays the same for as long as it lasts.
    """

    about: str
    grade: Grade
    found: str
    means: str = ""
    advice: str = ""
    kind: str = ""
    subject: str = ""  # the sink, source and so on; empty where there is one such thing only
    since: int | None = None  # epoch milliseconds, where it is known
    count: int | None = None  # of what waits for it
    cause: str = ""  # as whoever caused it says it
    act: HelpfulAct | None = None

    @property
    def id(self) -> str:
        """Return the name of a problem, by which people speak of it."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind
