"""The hooks that `relay demo` sends: shaped like amoCRM's, with invented values, and new ids and times in every run.

A file has one unencoded field on each line; its first line says what happened in the account. `$lead`, `$contact`,
`$company`, `$task`, `$note` are ids, `$now` and `$date` the current time.
"""

from datetime import UTC, datetime
from importlib.resources import files
from string import Template
from typing import Final
from urllib.parse import urlencode

from relay.model import Record

ORDER: Final = (
    "contact_new", "lead_won", "lead_won", "leads_move_on", "task_new", "company_renamed", "note", "lead_deleted",
    "lead_refused",
)  # fmt: skip
"""The one that is here twice is a hook that amoCRM repeats."""
_REFUSED: Final = "lead_refused"

_FIRST_ID: Final = 30_000_000  # ids have eight digits, and with the milliseconds of half a day added none repeats


class Sample(Record):
    """One hook: what happened, its body, whether it repeats an earlier one, and whether its vendor shall refuse it."""

    title: str
    body: bytes
    repeated: bool
    refused: bool = False


def samples(now_ms: int) -> list[Sample]:
    """Return the hooks of a run that begins at `now_ms`."""
    ids = _FIRST_ID + now_ms % 43_200_000
    values = {
        "lead": str(ids),
        "lead2": str(ids + 1),
        "lead3": str(ids + 6),
        "contact": str(ids + 2),
        "company": str(ids + 3),
        "task": str(ids + 4),
        "note": str(ids + 5),
        "now": str(now_ms // 1000),
        "date": datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }
    return [_sample(name, values, name in ORDER[:at]) for at, name in enumerate(ORDER)]


def _sample(name: str, values: dict[str, str], repeated: bool) -> Sample:
    text = (files(__name__) / f"{name}.form").read_text(encoding="utf-8")
    title, *lines = Template(text).substitute(values).splitlines()
    fields = [(key, value) for key, _, value in (line.partition("=") for line in lines)]
    body = urlencode(fields).encode("ascii")
    return Sample(title=title.removeprefix("# "), body=body, repeated=repeated, refused=name == _REFUSED)
