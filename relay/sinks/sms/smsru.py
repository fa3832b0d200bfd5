"""SMS.ru: the top-level OK says that the request was read; what became of the text stands beside its number."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr

from relay.model import Outcome, Result
from relay.sinks.base import ProbeResult
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import Gateway, amount, fields_of, not_well, whole
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import check_url
from relay.transport import Answer, TransportFailure

_THEIR_DAY: Final = ZoneInfo("Europe/Moscow")
_TOMORROW: Final = 206
_REPEATED: Final = frozenset({231, 232})
"""The same text to the same number within a minute, or too often today: after our own unknown, that was ours."""

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
    210: (Outcome.BLOCKED, "they want another method than POST"),
    211: (Outcome.BLOCKED, "they do not know the method: check the sink's url"),
    212: (Outcome.REJECTED, "they could not read the text as UTF-8"),
    213: (Outcome.REJECTED, "more numbers than they take at once"),
    220: (Outcome.RETRY, "their service is away for a while"),
    230: (Outcome.REJECTED, "this number had as many texts today as the account allows"),
    231: (Outcome.REJECTED, "the same text to this number within a minute"),
    232: (Outcome.REJECTED, "the same text to this number too often today"),
    233: (Outcome.REJECTED, "too many texts with codes to this number"),
    300: (Outcome.BLOCKED, "the token is wrong: it ran out, or our address changed"),
    301: (Outcome.BLOCKED, "they do not know us: check the api_id"),
    302: (Outcome.BLOCKED, "the account is not confirmed"),
}


class SmsruSettings(SmsSettings):
    """An account's `api_id`. They cannot be asked for our id: what is unknown is held for a person by default."""

    url: Annotated[str, AfterValidator(check_url)] = "https://sms.ru"
    api_id: SecretStr


class Smsru(Gateway):
    """Send by /sms/send, probe by /my/balance."""

    type = "smsru"
    Settings = SmsruSettings

    def __init__(self, settings: SmsruSettings) -> None:
        super().__init__(settings)
        self._api_id = settings.api_id.get_secret_value()
        self._url = settings.url.rstrip("/")

    @property
    def secrets(self) -> Sequence[str]:
        """The api_id."""
        return [self._api_id]

    async def send(self, message: Message, tools: Tools) -> Result:
        """Send to one number."""
        form = {"to": message.digits, "msg": message.text}
        if message.sender:
            form["from"] = message.sender
        return self.read(await self._ask(tools, "/sms/send", form), message, tools.now())

    def read(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what an answer to a text means: its own code, or the request's where the request was refused. Pure."""
        fields = fields_of(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return self.unread(answer, message, now)
        about = _about_the_text(fields)
        code = whole(about.get("status_code"))
        if code in _REPEATED and message.again:
            reason = f"{code}: the same text was there already, from our own try before"
            return self.result(Outcome.DELIVERED, reason, message, answer)
        if code is None or code not in _CODES:
            reason = f"{code}: what this means is not known: {about.get('status_text', '')}"
            return self.result(Outcome.UNKNOWN, reason, message, answer)
        outcome, meaning = _CODES[code]
        return self.result(
            outcome, f"{code}: {meaning}", message, answer,
            provider_id=str(about.get("sms_id", "")),
            cost=amount(about.get("cost")),
            after_ms=_until_tomorrow_ms(now) if code == _TOMORROW else None,
        )  # fmt: skip

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask for the balance."""
        answer = await self._ask(tools, "/my/balance", {})
        fields = fields_of(answer)
        if fields is None:
            return not_well(answer)
        if "balance" in fields:
            return ProbeResult(ok=True, message=f"the balance is {fields['balance']}")
        code = whole(fields.get("status_code"))
        _, meaning = _CODES.get(code or 0, (Outcome.UNKNOWN, str(fields.get("status_text", ""))))
        return ProbeResult(ok=False, message=f"{code}: {meaning}")

    async def _ask(self, tools: Tools, path: str, form: Mapping[str, str]) -> Answer:
        return await self.post(tools, self._url + path, {"api_id": self._api_id, "json": "1", **form})


def _about_the_text(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what they say of the number. An OK that names none says nothing of the text."""
    numbers = fields.get("sms")
    said = next(iter(numbers.values()), None) if isinstance(numbers, dict) else None
    if isinstance(said, dict):
        return said
    return {} if fields.get("status") == "OK" else fields


def _until_tomorrow_ms(now: float) -> int:
    today = datetime.fromtimestamp(now, _THEIR_DAY).date()
    return int((datetime.combine(today + timedelta(days=1), time(), _THEIR_DAY).timestamp() - now) * 1000)
