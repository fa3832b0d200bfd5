"""What an HTTP answer means: by the sink's checks, else by its status. Pure."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from http.client import responses
from typing import Final, TypeAlias

from relay.config.addresses import secret_parts
from relay.masking import is_unmistakable, mask_people, mask_secrets
from relay.model import Outcome, Result
from relay.sinks.base import MAX_RESPONSE
from relay.sinks.failures import failure_outcome
from relay.sinks.http.idempotency import REPEATABLE_METHODS
from relay.sinks.http.settings import HttpSettings
from relay.sinks.json_paths import text_at
from relay.sinks.retry_after import MAX_RETRY_AFTER_MS, parse_retry_after
from relay.sinks.urls import join_url
from relay.transport import Answer, Request, Response, TransportFailure, body_json, body_text

Interpretation: TypeAlias = tuple[Outcome, str]
"""An outcome, and the reason for it."""

_OUTCOMES: Final = {
    401: Outcome.BLOCKED,
    402: Outcome.BLOCKED,
    403: Outcome.BLOCKED,
    407: Outcome.BLOCKED,
    408: Outcome.UNKNOWN,
    410: Outcome.BLOCKED,
    425: Outcome.RETRY,
    429: Outcome.THROTTLED,
}
_OUTCOMES_BY_CLASS: Final = {2: Outcome.DELIVERED, 3: Outcome.BLOCKED, 4: Outcome.REJECTED}
_ON_409: Final = {
    "already": Outcome.DELIVERED,
    "retry": Outcome.RETRY,
    "rejected": Outcome.REJECTED,
    "lookup": Outcome.REJECTED,  # where it is not found
}

_ADVICE: Final = {
    401: "the credentials are wrong: check the sink's auth",
    403: "access is denied: check the key's rights",
    407: "a proxy asks for a password",
    409: "a conflict: set the sink's on_409 if it means that it is already there",
    410: "the address no longer exists: ask them for the new one",
}
_STATUS_TEXTS: Final = {int(status): f"{int(status)} {name}".strip() for status, name in responses.items()}
_SHORT: Final = 100  # characters of an answer that is remembered
_MAX_TARGET: Final = 200  # characters of a redirect's address
_MAY_HOLD_SECRETS: Final = re.compile(r"[?]|/bot|[\w-]{16}")  # of most addresses it says no, and that is quick


def interpret(settings: HttpSettings, answer: Response) -> Interpretation:
    """Return what an answer means by itself; unknown where it leaves open whether the request was applied."""
    if checked := settings.outcome(answer):
        check, outcome = checked
        return outcome, f"{status_text(answer)}: {check} holds"
    if answer.status == 409:
        return _ON_409[settings.conflict], reason_of(answer)
    outcome = _OUTCOMES.get(answer.status) or _OUTCOMES_BY_CLASS.get(answer.status // 100, Outcome.UNKNOWN)
    if outcome is Outcome.DELIVERED and settings.success_if:
        return Outcome.UNKNOWN, f"{status_text(answer)}, but {settings.why_no_success(answer)}"
    return outcome, reason_of(answer)


def status_text(answer: Response) -> str:
    """Return the status with its name, such as "404 Not Found"."""
    return _STATUS_TEXTS.get(answer.status) or str(answer.status)


def reason_of(answer: Response) -> str:
    """Return in a line what they answered and, where it is known, what to do about it."""
    if 300 <= answer.status < 400:
        where = f"redirects are not followed, this one points to {_target(answer)}"
        return f"{status_text(answer)}: {where}: set the sink's url to the new address"
    return f"{status_text(answer)}: {_ADVICE[answer.status]}" if answer.status in _ADVICE else status_text(answer)


def _target(answer: Response) -> str:
    target = re.split("[?#]", answer.headers.get("Location", "nowhere"), maxsplit=1)[0]
    return (
        target if len(target) <= _MAX_TARGET else "an address that is too long to show"
    )  # cut, it may hold half a key


class AnswerReader:
    """Reads answers by a sink's settings. `interpret` says what an answer means by itself, `secrets` what to mask."""

    def __init__(
        self,
        settings: HttpSettings,
        interpret: Callable[[Response], Interpretation],
        secrets: Callable[[], Sequence[str]],
    ) -> None:
        self._settings = settings
        self._interpret = interpret
        self._secrets = secrets
        self._own_path = join_url(settings.url).raw_path
        self._recognised = settings.recognised and settings.policy.on_unknown == "retry"

    def read(self, request: Request, answer: Answer, now: int) -> Result:
        """Return what an answer, or its absence, means. `now` (epoch milliseconds) is for Retry-After dates."""
        if isinstance(answer, TransportFailure):
            outcome = failure_outcome(answer, repeatable=self._repeatable(request))
            return Result(outcome=outcome, reason=_masked_reason(answer.reason, tuple(self._secrets())))
        outcome, reason = self._interpret(answer)
        if outcome is Outcome.UNKNOWN and self._repeatable(request):
            outcome = Outcome.RETRY
        secrets = (*self._secrets(), *_secrets_in_address(request.url.raw_path_qs))
        return Result(
            outcome=outcome,
            reason=_masked_reason(reason, secrets),
            status=answer.status,
            after_ms=self._requested_wait_ms(answer, now),
            scope=self._scope(request, answer.status),
            response=_masked_beginning(answer, secrets),
            provider_id=self._provider_id(answer) if outcome is Outcome.DELIVERED else "",
        )

    def _repeatable(self, request: Request) -> bool:
        """Return whether sending it again does no harm where it may have been applied."""
        return self._recognised or request.method in REPEATABLE_METHODS

    def _requested_wait_ms(self, answer: Response, now: int) -> int | None:
        """Return how long they ask us to wait: by a header of their own, else by Retry-After."""
        if answer.status < 300:
            return None
        own = self._settings.retry_header
        value = answer.headers.get(own.name, "").strip() if own else ""
        if own and value.isascii() and value.isdigit():
            return min(int(value[:15]) * own.unit_ms, MAX_RETRY_AFTER_MS)
        return parse_retry_after(answer.headers.get("Retry-After"), now)

    def _scope(self, request: Request, status: int) -> str:
        """Return what a blocked outcome closes: the route alone where the address that moved is the route's path."""
        own_address = status == 410 or status // 100 == 3
        return "route" if own_address and request.url.raw_path != self._own_path else "sink"

    def _provider_id(self, answer: Response) -> str:
        return text_at(body_json(answer), self._settings.id_path) if self._settings.id_path else ""


@lru_cache(maxsize=256)
def _secrets_in_address(target: str) -> tuple[str, ...]:
    """Return what is secret in the address of a request: a route may have put it there, and they may quote it alone."""
    return tuple(secret_parts(target)) if _MAY_HOLD_SECRETS.search(target) else ()


@lru_cache(maxsize=256)
def _masked_reason(reason: str, secrets: tuple[str, ...]) -> str:
    """Return a reason, masked: it may quote a stranger, and is stored, logged and shown. Most are the same few."""
    return mask_people(mask_secrets(reason, filter(is_unmistakable, secrets)))


def _masked_beginning(answer: Response, secrets: tuple[str, ...]) -> str:
    """Return the beginning of an answer, masked. More is masked than is kept, so that no half of a value remains."""
    beginning = body_text(answer, 4 * MAX_RESPONSE)
    return _masked_short(beginning, secrets) if len(beginning) <= _SHORT else _masked(beginning, secrets)


def _masked(beginning: str, secrets: tuple[str, ...]) -> str:
    return mask_people(mask_secrets(beginning, secrets)[: 2 * MAX_RESPONSE])[:MAX_RESPONSE]


_masked_short = lru_cache(maxsize=256)(_masked)  # most that say nothing but that all is well are the same few
