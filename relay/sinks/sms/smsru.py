"""SMS.ru. The OK of an answer means that the request was read; the result of the text stands beside its number."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from relay.model import Outcome, Result
from relay.secret import SecretStr
from relay.sinks.base import ProbeResult
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import Gateway, balance_probe, json_object, parse_int, parse_money
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import SinkUrl
from relay.transport import Answer, TransportFailure

_THEIR_DAY: Final = ZoneInfo("Europe/Moscow")
_TOMORROW: Final = 206
_REPEATED: Final = frozenset({231, 232})
"""The same text to the same number within a minute, or too often today: after an unknown attempt that was ours."""

_CODES: Final[Mapping[int, tuple[Outcome, str]]] = {
    100: (Outcome.DELIVERED, "sent"),
    200: (Outcome.BLOCKED, "the api_id is wrong"),
    201: (Outcome.BLOCKED, "no money: top the account up"),
    202: (Outcome.REJECTED, "the number is wrong, or no text may go there"),
    203: (Outcome.REJECTED, "there is no text"),
    204: (Outcome.BLOCKED, "the sender is not approved by them"),
    205: (Outcome.REJECTED, "the text is too long"),
    206: (Outcome.BLOCKED, "the day's limit of texts is reached"),
    207: (Outcome.REJECTED, "there is no way to this number"),
    208: (Outcome.REJECTED, "the time is wrong"),
    209: (Outcome.SKIPPED, "the number is on the stop list of the account"),
    210: (Outcome.BLOCKED, "they no longer accept POST"),
    211: (Outcome.BLOCKED, "they do not know the method: check the sink's url"),
    212: (Outcome.REJECTED, "they could not read the text as UTF-8"),
    213: (Outcome.REJECTED, "more numbers than they take at once"),
    220: (Outcome.RETRY, "their service is unavailable for a while"),
    230: (Outcome.REJECTED, "this number had as many texts today as the account allows"),
    231: (Outcome.REJECTED, "the same text to this number within a minute"),
    232: (Outcome.REJECTED, "the same text to this number too often today"),
    233: (Outcome.REJECTED, "too many texts with codes to this number"),
    300: (Outcome.BLOCKED, "the token is wrong: it expired, or our address changed"),
    301: (Outcome.BLOCKED, "wrong credentials: check the api_id"),
    302: (Outcome.BLOCKED, "the account is not confirmed"),
}


class SmsruSettings(SmsSettings):
    """The account's `api_id`. Texts cannot be looked up: an unknown outcome is held for a person by default."""

    url: SinkUrl = "https://sms.ru"
    api_id: SecretStr


class Smsru(Gateway):
    """Sends by /sms/send, probes by /my/balance."""

    type = "smsru"
    Settings = SmsruSettings

    def __init__(self, settings: SmsruSettings) -> None:
        super().__init__(settings)
        self._api_id = settings.api_id.get_secret_value()
        self._url = settings.url.rstrip("/")

    @property
    def secrets(self) -> Sequence[str]:
        """Return the api_id."""
        return [self._api_id]

    async def send(self, message: Message, tools: Tools) -> Result:
        """Send to one number."""
        form = {"to": message.digits, "msg": message.text}
        if message.sender:
            form["from"] = message.sender
        return self.read(await self._call(tools, "/sms/send", form), message, tools.now())

    def read(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what an answer means: by the code of the text, or of the request where that was refused. Pure."""
        fields = json_object(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return self.unreadable_answer(answer, message, now)
        status = _message_status(fields)
        code = parse_int(status.get("status_code"))
        if code in _REPEATED and message.maybe_sent_before:
            reason = f"{code}: they have the text already, from our earlier attempt"
            return self.result(Outcome.DELIVERED, reason, message, answer)
        if code is None or code not in _CODES:
            reason = f"{code}: the meaning of this is not known: {status.get('status_text', '')}"
            return self.result(Outcome.UNKNOWN, reason, message, answer)
        outcome, meaning = _CODES[code]
        return self.result(
            outcome, f"{code}: {meaning}", message, answer,
            provider_id=str(status.get("sms_id", "")),
            cost=parse_money(status.get("cost")),
            after_ms=_ms_until_midnight(now) if code == _TOMORROW else None,
        )  # fmt: skip

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask for the balance."""
        return balance_probe(await self._call(tools, "/my/balance", {}), _describe_error)

    async def _call(self, tools: Tools, path: str, form: Mapping[str, str]) -> Answer:
        return await self.post(tools, self._url + path, {"api_id": self._api_id, "json": "1", **form})


def _describe_error(fields: Mapping[str, Any]) -> str:
    code = parse_int(fields.get("status_code"))
    _, meaning = _CODES.get(code or 0, (Outcome.UNKNOWN, str(fields.get("status_text", ""))))
    return f"{code}: {meaning}"


def _message_status(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the status of the text. An OK without the number says nothing about the text."""
    numbers = fields.get("sms")
    status = next(iter(numbers.values()), None) if isinstance(numbers, dict) else None
    if isinstance(status, dict):
        return status
    return {} if fields.get("status") == "OK" else fields


def _ms_until_midnight(now: float) -> int:
    today = datetime.fromtimestamp(now, _THEIR_DAY).date()
    return int((datetime.combine(today + timedelta(days=1), time(), _THEIR_DAY).timestamp() - now) * 1000)
