"""The interface of an SMS gateway. A new gateway is a file with a subclass; docs/contributing.md shows how."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import urlencode

import msgspec
from yarl import URL

from relay.masking import is_unmistakable, mask_people, mask_secrets
from relay.model import Outcome, Result
from relay.sinks.base import MAX_RESPONSE, ProbeResult
from relay.sinks.failures import failure_outcome
from relay.sinks.retry_after import parse_retry_after
from relay.sinks.sms.content import Message
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.transport import Answer, Request, Response, TransportFailure, body_json, body_text, call, json_problem

_MIN_MASKED: Final = 8  # characters: a short text such as "OK" occurs in every answer and identifies nobody
_WRONG_ADDRESS: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405, 407, 410})
_MONEY = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)

Settings: TypeAlias = type[SmsSettings]


class Gateway(ABC):
    """Sends texts one at a time, looks them up, and checks credentials and balance."""

    type: ClassVar[str]
    """The `type` in the YAML."""
    Settings: ClassVar[Settings]
    max_characters: ClassVar[int] = 2000
    """How long a text may be."""
    found_within_ms: int = 65_000
    """When an accepted text is found by `lookup` at the latest. After that, "not found" means to send it once more."""

    def __init__(self, settings: SmsSettings) -> None:
        self._timeout_ms = settings.timeout

    @abstractmethod
    async def send(self, message: Message, tools: Tools) -> Result:
        """Send a text once and return the result. Never raise for what the other side or the network does."""

    async def lookup(self, _message: Message, _tools: Tools) -> Result | None:
        """Return what became of a text that may have been accepted; None: they do not have it.

        Called only where the settings' `looks_up` is true. Throttled: ask again later.
        """
        return None

    @abstractmethod
    async def probe(self, tools: Tools) -> ProbeResult | None:
        """Check credentials and balance by a free call. None: there is none."""

    @property
    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """Return what must never be shown."""

    async def post(self, tools: Tools, url: str, form: Mapping[str, str]) -> Answer:
        """Post a form and return the answer."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode(form).encode()
        return await call(tools.session, self.request("POST", url, headers, body))

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Build a request with the sink's timeout."""
        return Request(method=method, url=URL(url), headers=headers, body=body, timeout_ms=self._timeout_ms)

    def result(self, outcome: Outcome, reason: str, message: Message, answer: Response, **more: Any) -> Result:
        """Return the result of an answer that could be read. Secrets, text and number in it are masked."""
        secrets = self.secrets
        return Result(
            outcome=outcome,
            reason=_masked(reason, message, filter(is_unmistakable, secrets)),
            status=answer.status,
            response=_masked(_readable(answer), message, secrets),
            segments=more.pop("segments", None) or message.segments,
            **more,
        )

    def unreadable_answer(self, answer: Answer, message: Message, now: float) -> Result:
        """Return the result of an answer that is not in the gateway's format, or of a missing one."""
        if isinstance(answer, TransportFailure):
            return failure_result(answer, message, self.secrets)
        if answer.status == 429:
            after_ms = parse_retry_after(answer.headers.get("Retry-After"), int(now * 1000))
            return self.result(Outcome.THROTTLED, "429: too many requests", message, answer, after_ms=after_ms)
        if answer.status in _WRONG_ADDRESS:
            reason = f"{answer.status}: this is not the gateway's answer: check the sink's url"
            return self.result(Outcome.BLOCKED, reason, message, answer)
        return self.result(Outcome.UNKNOWN, f"{answer.status}: {_format_problem(answer)}", message, answer)


def failure_result(failure: TransportFailure, message: Message, secrets: Sequence[str] = ()) -> Result:
    """Return the result of a missing answer: retry where the text cannot have arrived, else unknown."""
    outcome = failure_outcome(failure)
    return Result(
        outcome=outcome,
        reason=_masked(failure.reason, message, filter(is_unmistakable, secrets)),
        segments=message.segments,
    )


def json_object(answer: Answer) -> Mapping[str, Any] | None:
    """Return the JSON object of an answer with status 200; None where it is anything else."""
    if isinstance(answer, TransportFailure) or answer.status != 200:
        return None
    content = body_json(answer)
    return content if isinstance(content, dict) else None


def parse_int(value: object) -> int | None:
    """Return a whole number that may be written as text; None where it is none."""
    text = str(value)
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) and not isinstance(value, bool) else None


def parse_money(value: object) -> str | None:
    """Return an amount of money as a decimal text; None where it is none."""
    text = str(value).strip().removeprefix("-")  # some gateways write a charge as a negative amount
    return format(Decimal(text).normalize(), "f") if _MONEY.fullmatch(text) else None


def balance_probe(answer: Answer, describe_error: Callable[[Mapping[str, Any]], str]) -> ProbeResult:
    """Return the result of asking for the balance: `balance` in a JSON object, or an error."""
    fields = json_object(answer)
    if fields is None:
        return failed_probe(answer)
    if "balance" in fields:
        return ProbeResult(ok=True, message=f"the balance is {fields['balance']}")
    return ProbeResult(ok=False, message=describe_error(fields))


def failed_probe(answer: Answer) -> ProbeResult:
    """Return the result of a probe whose answer is missing or not in the gateway's format."""
    problem = answer.reason if isinstance(answer, TransportFailure) else f"{answer.status}: {_format_problem(answer)}"
    return ProbeResult(ok=False, message=f"{problem}: check the sink's url and the network")


def _format_problem(answer: Response) -> str:
    problem = json_problem(answer)
    return f"the answer cannot be read: {problem}" if problem else "not the gateway's answer"


def _readable(answer: Response) -> str:
    """Return an answer as text without JSON escapes, so that masking finds values in it."""
    content = body_json(answer)
    return body_text(answer) if content is None else msgspec.json.encode(content).decode()


def _masked(text: str, message: Message, secrets: Iterable[str]) -> str:
    """Mask secrets, the message's text and its recipient in a text of the gateway, of which the beginning is kept."""
    written = (msgspec.json.encode(message.text).decode()[1:-1], message.text)
    margin = MAX_RESPONSE + len(written[0])
    beginning = mask_secrets(text[: 4 * MAX_RESPONSE + 2 * margin], secrets)  # a stranger's text may have a megabyte
    for form in written:
        if len(form) >= _MIN_MASKED:
            beginning = beginning.replace(form, "<text>")
    if len(text) > 4 * MAX_RESPONSE + 2 * margin:
        beginning = beginning[:-margin]  # it may end with half of what is masked
    return mask_people(beginning, (message.phone,))[:MAX_RESPONSE]
