"""What MoySklad's answers mean, by the codes of their errors. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from relay.model import Outcome
from relay.sinks.http.answers import Interpretation, interpret, status_text
from relay.sinks.http.settings import HttpSettings
from relay.sinks.json_paths import values_at
from relay.transport import Response, body_json

_CODES: Final[Mapping[int, Outcome]] = {
    1043: Outcome.BLOCKED,
    1048: Outcome.BLOCKED,
    1056: Outcome.BLOCKED,
    1061: Outcome.BLOCKED,
    1070: Outcome.BLOCKED,
    1049: Outcome.THROTTLED,
    1073: Outcome.THROTTLED,
    1065: Outcome.RETRY,
    1074: Outcome.RETRY,
    1083: Outcome.RETRY,
    1088: Outcome.RETRY,
    **dict.fromkeys(range(3000, 3040), Outcome.REJECTED),
}
_NOT_UNIQUE: Final = 3006
_STATUSES: Final = {405: Outcome.BLOCKED, 415: Outcome.BLOCKED}  # about the kind of request, not about its content


def interpret_moysklad(settings: HttpSettings, answer: Response) -> Interpretation:
    """Return what an answer means, by the codes of its errors, else by its status."""
    for code in _error_codes(answer):
        if code in _CODES:
            return _CODES[code], f"{status_text(answer)}: MoySklad's error {code}"
    if answer.status in _STATUSES:
        return _STATUSES[answer.status], f"{status_text(answer)}: MoySklad no longer takes requests of this kind"
    return interpret(settings, answer)


def is_not_unique(answer: Response) -> bool:
    """Return whether a value in the request must be unique there, and exists already."""
    return _NOT_UNIQUE in _error_codes(answer)


def _error_codes(answer: Response) -> Iterator[int]:
    if answer.status >= 300:
        yield from (code for code in values_at(body_json(answer), "errors.*.code") if isinstance(code, int))
