"""SMSC (smsc.ru, smsc.kz). Errors come with status 200. Our id can be looked up, but does not prevent repetitions."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Self

import msgspec
from pydantic import Field, model_validator

from relay.config.scalars import Duration
from relay.durations import UNITS_MS
from relay.errors import StoreUnavailable
from relay.logs import log
from relay.model import Outcome, Result
from relay.retrying import OnUnknown
from relay.secret import SecretStr
from relay.sinks.base import ProbeResult
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import Gateway, balance_probe, json_object, parse_int, parse_money
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import SinkUrl
from relay.store.quotas import Quota
from relay.transport import Answer, Response, TransportFailure

_IP_BLOCKED_MS: Final = 15 * UNITS_MS["m"]
_BUSY_MS: Final = 5_000
_LOOK_AGAIN_MS: Final = 15_000
_MAX_DENIALS: Final = 2  # in a row are taken for wrong texts; a third one means that the sender is wrong
_DENIALS_MS: Final = UNITS_MS["h"]

_UNPAID_MS: Final = 7 * UNITS_MS["d"]

_NOT_FOUND: Final = -3
_NO_MONEY: Final = 24
_TAKEN: Final = frozenset({-2, -1, 0, 1, 2, 3, 4, 20})
_REFUSED: Final = {22: "a wrong number", 23: "forbidden", 25: "a number that cannot be reached"}

_ERRORS: Final[Mapping[int, tuple[Outcome, str]]] = {
    1: (Outcome.REJECTED, "a parameter is wrong"),
    2: (Outcome.BLOCKED, "wrong credentials: check login and password, or apikey"),
    3: (Outcome.BLOCKED, "no money: top the account up"),
    4: (Outcome.BLOCKED, "our address is blocked for a while, after too many wrong requests"),
    5: (Outcome.REJECTED, "the date is wrong"),
    6: (Outcome.REJECTED, "the text or the sender is denied"),
    7: (Outcome.REJECTED, "the number is wrong"),
    8: (Outcome.REJECTED, "the number cannot be reached"),
}
_UNKNOWN_ERROR: Final = (Outcome.UNKNOWN, "the meaning of this is not known")


class SmscSettings(SmsSettings):
    """The account: `login` and `password`, or `apikey`. Another `url` is for smsc.kz and for tests.

    `found_within`: how long after sending a text "not found" is not believed yet. After that it is sent once more.
    """

    url: SinkUrl = "https://smsc.ru"
    login: str | None = None
    password: SecretStr | None = None
    apikey: SecretStr | None = None
    found_within: Duration = Field(65_000, json_schema_extra={"default": "65s"})

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        by_login = self.login is not None and self.password is not None
        if by_login == (self.apikey is not None) or (self.login is None) != (self.password is None):
            raise ValueError("give login and password, or apikey")
        return self

    @property
    def looks_up(self) -> bool:
        """A text is found by our id."""
        return True

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Look it up before sending again."""
        return self.on_unknown or "lookup"

    def credentials(self) -> dict[str, str]:
        """Return the form fields with the credentials."""
        if self.apikey is not None:
            return {"apikey": self.apikey.get_secret_value()}
        assert self.login is not None
        assert self.password is not None
        return {"login": self.login, "psw": self.password.get_secret_value()}


class Smsc(Gateway):
    """Sends by send.php, looks up by status.php, probes by balance.php."""

    type = "smsc"
    Settings = SmscSettings
    max_characters = 1000

    def __init__(self, settings: SmscSettings) -> None:
        super().__init__(settings)
        self._credentials = settings.credentials()
        self._url = settings.url.rstrip("/")
        self.found_within_ms = settings.found_within
        account = blake2b(repr(self._credentials).encode(), digest_size=8).hexdigest()
        self._denials = f"sms:smsc:{account}:denials"

    @property
    def secrets(self) -> Sequence[str]:
        """Return the password, or the key."""
        return [value for name, value in self._credentials.items() if name != "login"]

    async def send(self, message: Message, tools: Tools) -> Result:
        """Send under our id. The charset is stated because their default is windows-1251."""
        form = {"phones": message.phone, "mes": message.text, "id": message.id, "cost": "3"}
        if message.sender:
            form["sender"] = message.sender
        result = self.read(await self._call(tools, "send", form), message, tools.now())
        return await self._check_denials(result, tools)

    def read(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what an answer to a text means. Pure; `now` (unix seconds) is for Retry-After dates."""
        fields = json_object(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return self.unreadable_answer(answer, message, now)
        if "error_code" not in fields and "id" in fields:
            return self.result(
                Outcome.DELIVERED, "sent", message, answer,
                provider_id=str(fields["id"]), cost=parse_money(fields.get("cost")),
                segments=parse_int(fields.get("cnt")),
            )  # fmt: skip
        return self._error(fields, message, answer)

    def _error(self, fields: Mapping[str, Any], message: Message, answer: Response) -> Result:
        code, text = parse_int(fields.get("error_code")), str(fields.get("error", ""))
        if code == 9 and "concurrent" in text:
            return self.result(Outcome.THROTTLED, f"9: {text}", message, answer, after_ms=_BUSY_MS)
        # 9 is also "duplicate request": an earlier attempt arrived, or another delivery had the same text.
        outcome, meaning = _ERRORS.get(code or 0, _UNKNOWN_ERROR)
        more = {"after_ms": _IP_BLOCKED_MS} if code == 4 else {}
        return self.result(outcome, f"{code}: {text}: {meaning}", message, answer, **more)

    async def _check_denials(self, result: Result, tools: Tools) -> Result:
        """Block the sink at the third denial in a row: then it is the sender that is denied and not one text."""
        until_ms = int(tools.now() * 1000) + _DENIALS_MS
        try:
            if result.outcome is Outcome.DELIVERED:
                await tools.shared.delete(self._denials)
            elif result.reason.startswith("6:"):
                denial = Quota(key=self._denials, amount=1, limit=_MAX_DENIALS, until_ms=until_ms)
                if await tools.shared.spend_quotas([denial]) is not None:
                    reason = f"{result.reason}, and so were the texts before it: is the sender registered with them?"
                    return msgspec.structs.replace(result, outcome=Outcome.BLOCKED, reason=reason)
        except StoreUnavailable as error:  # the answer is known, which matters more than the count
            log.warning("sms.uncounted", reason=str(error))
        return result

    async def lookup(self, message: Message, tools: Tools) -> Result | None:
        """Ask for the status of our id and the number."""
        form = {"phone": message.phone, "id": message.id, "all": "1"}
        answer = await self._call(tools, "status", form)
        result = self.read_status(answer, message, tools.now())
        if result is None or result.outcome is not Outcome.BLOCKED or not result.reason.startswith(f"{_NO_MONEY}:"):
            return result
        # They never send an unpaid text. At the second look-up it counts as not found, and is sent again.
        unpaid = f"sms:unpaid:{message.id}"
        if await tools.shared.get(unpaid) is not None:
            return None
        await tools.shared.put(unpaid, b"1", _UNPAID_MS)
        return result

    def read_status(self, answer: Answer, message: Message, now: float) -> Result | None:
        """Return what an answer to a look-up means; None: they do not have the text. Pure."""
        fields = json_object(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return _lookup_failed(self.unreadable_answer(answer, message, now))
        status, code = parse_int(fields.get("status")), parse_int(fields.get("error_code"))
        if status == _NOT_FOUND:
            return None
        if status in _TAKEN:
            cost = parse_money(fields.get("cost"))
            return self.result(Outcome.DELIVERED, f"they have it: status {status}", message, answer, cost=cost)
        if status in _REFUSED:
            return self.result(Outcome.REJECTED, f"{status}: {_REFUSED[status]}", message, answer)
        if status == _NO_MONEY:
            return self.result(Outcome.BLOCKED, f"{status}: no money: top the account up", message, answer)
        if code in (2, 4):
            return self._error(fields, message, answer)
        after_ms = _BUSY_MS if code == 9 else _LOOK_AGAIN_MS
        reason = f"the look-up failed: {fields.get('error', 'a status that is not known')}"
        return self.result(Outcome.THROTTLED if code else Outcome.UNKNOWN, reason, message, answer, after_ms=after_ms)

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask for the balance."""
        return balance_probe(await self._call(tools, "balance", {}), _describe_error)

    async def _call(self, tools: Tools, method: str, form: Mapping[str, str]) -> Answer:
        form = {**self._credentials, **form, "charset": "utf-8", "fmt": "3"}
        return await self.post(tools, f"{self._url}/sys/{method}.php", form)


def _describe_error(fields: Mapping[str, Any]) -> str:
    code = parse_int(fields.get("error_code"))
    _, meaning = _ERRORS.get(code or 0, _UNKNOWN_ERROR)
    return f"{code}: {fields.get('error', '')}: {meaning}"


def _lookup_failed(result: Result) -> Result:
    """Return the result of a look-up that failed: it is simply tried again later."""
    if result.outcome not in (Outcome.UNKNOWN, Outcome.RETRY):
        return result
    reason = f"the look-up failed: {result.reason}"
    return msgspec.structs.replace(result, outcome=Outcome.THROTTLED, reason=reason, after_ms=_LOOK_AGAIN_MS)
