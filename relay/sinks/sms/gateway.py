"""What every gateway is. The next one is one file with one subclass, named once in `relay.sinks.sms`.

A third party's is found by an entry point in the group `amo_relay.sms`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import urlencode

import msgspec
from yarl import URL

from relay.model import Outcome, Result
from relay.sinks.base import MAX_RESPONSE, ProbeResult
from relay.sinks.json_paths import parse_json
from relay.sinks.retry_after import parse_retry_after
from relay.sinks.sms.content import Message
from relay.sinks.sms.phone_numbers import masked
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.transport import Answer, Request, Response, TransportFailure, call

_TELLING: Final = 8  # characters: "OK" is in every answer, and says nothing of anybody
_ELSEWHERE: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405, 407, 410})
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)

Settings: TypeAlias = type[SmsSettings]


class Gateway(ABC):
    """Sends one text, looks for it afterwards, and tells whether all is well."""

    type: ClassVar[str]
    """The sink's name in the YAML."""
    Settings: ClassVar[Settings]
    longest: ClassVar[int] = 2000
    """Characters of a text."""
    found_within_ms: int = 65_000
    """After so long a text that was taken can be found: then "not found" may be believed, and it is sent once more."""

    def __init__(self, settings: SmsSettings) -> None:
        self._timeout_ms = settings.timeout

    @abstractmethod
    async def send(self, message: Message, tools: Tools) -> Result:
        """Send a text once and say what came of it. Never raise for what the other side or the network does."""

    async def lookup(self, _message: Message, _tools: Tools) -> Result | None:
        """Return what became of a text that may have been taken; None: they do not have it.

        Asked only where the settings say `looks_up`. Throttled: ask again later.
        """
        return None

    @abstractmethod
    async def probe(self, tools: Tools) -> ProbeResult | None:
        """Find out by a free call whether key and money are in order. None: there is no free call."""

    @property
    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """Return what must never be shown."""

    async def post(self, tools: Tools, url: str, form: Mapping[str, str]) -> Answer:
        """Post a form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode(form).encode()
        return await call(tools.session, self.request("POST", url, headers, body))

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Build a request with the sink's timeout."""
        return Request(method=method, url=URL(url), headers=headers, body=body, timeout_ms=self._timeout_ms)

    def result(self, outcome: Outcome, reason: str, message: Message, answer: Response, **more: Any) -> Result:
        """Make the result of an answer that was read. What they said of the recipient is masked."""
        hide = _Hidden(message, self.secrets)
        return Result(
            outcome=outcome,
            reason=hide(reason),
            status=answer.status,
            response=hide(_readable(answer.body))[:MAX_RESPONSE],
            segments=more.pop("segments", None) or message.segments,
            **more,
        )

    def unread(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what is meant by an answer that is not the gateway's own, or by none."""
        if isinstance(answer, TransportFailure):
            return failed(answer, message, self.secrets)
        if answer.status == 429:
            after_ms = parse_retry_after(answer.headers.get("Retry-After"), int(now * 1000))
            return self.result(Outcome.THROTTLED, "429: too many requests", message, answer, after_ms=after_ms)
        if answer.status in _ELSEWHERE:
            reason = f"{answer.status}: this is not the gateway's answer, check the sink's url"
            return self.result(Outcome.BLOCKED, reason, message, answer)
        return self.result(Outcome.UNKNOWN, f"{answer.status}: an answer that cannot be read", message, answer)


def failed(failure: TransportFailure, message: Message, secrets: Sequence[str] = ()) -> Result:
    """Return what a missing answer means: may they have taken the text?"""
    kinds = {"tls": Outcome.BLOCKED}
    outcome = kinds.get(failure.kind) or (Outcome.UNKNOWN if failure.sent else Outcome.RETRY)
    return Result(outcome=outcome, reason=_Hidden(message, secrets)(failure.reason), segments=message.segments)


def fields_of(answer: Answer) -> Mapping[str, Any] | None:
    """Read the JSON object of an answer with status 200; None where it is anything else."""
    if isinstance(answer, TransportFailure) or answer.status != 200 or answer.truncated:
        return None
    read = parse_json(answer.body)
    return read if isinstance(read, dict) else None


def whole(value: object) -> int | None:
    """Read a whole number, however it is written."""
    text = str(value)
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) and not isinstance(value, bool) else None


def amount(value: object) -> str | None:
    """Read money as a decimal text, however it is written; None where it is none."""
    text = str(value).strip().removeprefix("-")  # some write a charge as what leaves the account
    return format(Decimal(text).normalize(), "f") if _AMOUNT.fullmatch(text) else None


def not_well(answer: Answer) -> ProbeResult:
    """Return that a probe got no answer that could be read."""
    said = answer.reason if isinstance(answer, TransportFailure) else f"{answer.status}: not the gateway's answer"
    return ProbeResult(ok=False, message=f"{said}: check the sink's url and the network")


def _readable(body: bytes) -> str:
    """Write an answer without escapes, so that what is to be hidden in it is found."""
    read = parse_json(body)
    return body.decode(errors="replace") if read is None else msgspec.json.encode(read).decode()


class _Hidden:
    """Hides who was told what, and the keys, in what a gateway says."""

    def __init__(self, message: Message, secrets: Sequence[str]) -> None:
        shown = masked(message.phone)
        written = msgspec.json.encode(message.text).decode()[1:-1]
        self._pairs = [
            *((secret, "***") for secret in secrets if secret),
            *((text, "<text>") for text in (written, message.text) if len(text) >= _TELLING),
            (message.phone, shown),
            (message.digits, shown.removeprefix("+")),
        ]

    def __call__(self, said: str) -> str:
        for hidden, shown in self._pairs:
            said = said.replace(hidden, shown)
        return said
