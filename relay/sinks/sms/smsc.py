"""SMSC (smsc.ru, smsc.kz): errors inside 200, an id of ours that can be looked up but keeps nothing from repeating."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Final

import msgspec
from pydantic import AfterValidator, Field, SecretStr, model_validator

from relay.config.scalars import Duration
from relay.errors import StoreUnavailable
from relay.logs import log
from relay.model import Outcome, Result
from relay.retrying import UNITS_MS, OnUnknown
from relay.sinks.base import ProbeResult
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import Gateway, amount, fields_of, not_well, whole
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import check_url
from relay.store.shared_state import Quota
from relay.transport import Answer, Response, TransportFailure

_ADDRESS_BLOCKED_MS: Final = 15 * UNITS_MS["m"]
_BUSY_MS: Final = 5_000
_ASK_AGAIN_MS: Final = 15_000
_DENIED: Final = 2  # in a row, each a wrong text; the next one says that the sender is wrong
_DENIED_MS: Final = UNITS_MS["h"]

_UNPAID_MS: Final = 7 * UNITS_MS["d"]

_NOT_FOUND: Final = -3
_NO_MONEY: Final = 24
_TAKEN: Final = frozenset({-2, -1, 0, 1, 2, 3, 4, 20})
_REFUSED: Final = {22: "a wrong number", 23: "forbidden", 25: "a number that cannot be reached"}

_ERRORS: Final[Mapping[int, tuple[Outcome, str]]] = {
    1: (Outcome.REJECTED, "a parameter is wrong"),
    2: (Outcome.BLOCKED, "they do not know us: check login and password, or apikey"),
    3: (Outcome.BLOCKED, "no money: top the account up"),
    4: (Outcome.BLOCKED, "our address is blocked for a while, after too many wrong requests"),
    5: (Outcome.REJECTED, "the date is wrong"),
    6: (Outcome.REJECTED, "the text or the sender is denied"),
    7: (Outcome.REJECTED, "the number is wrong"),
    8: (Outcome.REJECTED, "the number cannot be reached"),
}


class SmscSettings(SmsSettings):
    """An account: `login` and `password`, or `apikey`. `url` is for smsc.kz and for trying out.

    `found_within`: only so long after a text may have left is "not found" believed, and the text sent once more.
    """

    url: Annotated[str, AfterValidator(check_url)] = "https://smsc.ru"
    login: str | None = None
    password: SecretStr | None = None
    apikey: SecretStr | None = None
    found_within: Duration = Field(65_000, json_schema_extra={"default": "65s"})

    @model_validator(mode="after")
    def _one_way_in(self) -> "SmscSettings":
        by_login = self.login is not None and self.password is not None
        if by_login == (self.apikey is not None) or (self.login is None) != (self.password is None):
            raise ValueError("give login and password, or apikey")
        return self

    @property
    def looks_up(self) -> bool:
        """They can be asked for our id."""
        return True

    @property
    def unknown(self) -> OnUnknown:
        """Look before sending again."""
        return self.on_unknown or "lookup"

    def credentials(self) -> dict[str, str]:
        """Return the fields that say who we are."""
        if self.apikey is not None:
            return {"apikey": self.apikey.get_secret_value()}
        assert self.login is not None
        assert self.password is not None
        return {"login": self.login, "psw": self.password.get_secret_value()}


class Smsc(Gateway):
    """Send by send.php, look up by status.php, probe by balance.php."""

    type = "smsc"
    Settings = SmscSettings
    longest = 1000

    def __init__(self, settings: SmscSettings) -> None:
        super().__init__(settings)
        self._credentials = settings.credentials()
        self._url = settings.url.rstrip("/")
        self.found_within_ms = settings.found_within
        account = blake2b(repr(self._credentials).encode(), digest_size=8).hexdigest()
        self._denials = f"sms:smsc:{account}:denials"

    @property
    def secrets(self) -> Sequence[str]:
        """The password, or the key."""
        return [value for name, value in self._credentials.items() if name != "login"]

    async def send(self, message: Message, tools: Tools) -> Result:
        """Send under our id. The charset is said: theirs is windows-1251."""
        form = {"phones": message.phone, "mes": message.text, "id": message.id, "cost": "3"}
        if message.sender:
            form["sender"] = message.sender
        result = self.read(await self._ask(tools, "send", form), message, tools.now())
        return await self._in_a_row(result, tools)

    def read(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what an answer to a text means. Pure; `now` (unix seconds) is for Retry-After dates."""
        fields = fields_of(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return self.unread(answer, message, now)
        if "error_code" not in fields and "id" in fields:
            return self.result(
                Outcome.DELIVERED, "sent", message, answer,
                provider_id=str(fields["id"]), cost=amount(fields.get("cost")), segments=whole(fields.get("cnt")),
            )  # fmt: skip
        return self._error(fields, message, answer)

    def _error(self, fields: Mapping[str, Any], message: Message, answer: Response) -> Result:
        code, said = whole(fields.get("error_code")), str(fields.get("error", ""))
        if code == 9 and "concurrent" in said:
            return self.result(Outcome.THROTTLED, f"9: {said}", message, answer, after_ms=_BUSY_MS)
        # Nine is also "duplicate request": then the first one is there, or another delivery said the same.
        outcome, meaning = _ERRORS.get(code or 0, (Outcome.UNKNOWN, "what this means is not known"))
        more = {"after_ms": _ADDRESS_BLOCKED_MS} if code == 4 else {}
        return self.result(outcome, f"{code}: {said}: {meaning}", message, answer, **more)

    async def _in_a_row(self, result: Result, tools: Tools) -> Result:
        """Tell a text that is denied from a sender that is: by the third denial in a row."""
        until_ms = int(tools.now() * 1000) + _DENIED_MS
        try:
            if result.outcome is Outcome.DELIVERED:
                await tools.shared.delete(self._denials)
            elif result.reason.startswith("6:"):
                denial = Quota(key=self._denials, amount=1, limit=_DENIED, until_ms=until_ms)
                if await tools.shared.spend_quotas([denial]) is not None:
                    reason = f"{result.reason}, and so were those before: is the sender registered with them?"
                    return msgspec.structs.replace(result, outcome=Outcome.BLOCKED, reason=reason)
        except StoreUnavailable as error:  # they have answered: that counts more than how often
            log.warning("sms.uncounted", reason=str(error))
        return result

    async def lookup(self, message: Message, tools: Tools) -> Result | None:
        """Ask for our id and the number."""
        form = {"phone": message.phone, "id": message.id, "all": "1"}
        answer = await self._ask(tools, "status", form)
        found = self.read_status(answer, message, tools.now())
        if found is None or found.outcome is not Outcome.BLOCKED or not found.reason.startswith(f"{_NO_MONEY}:"):
            return found
        # It lies there unpaid for good. Once they let us in again it is sent anew.
        unpaid = f"sms:unpaid:{message.id}"
        if await tools.shared.get(unpaid) is not None:
            return None
        await tools.shared.put(unpaid, b"1", _UNPAID_MS)
        return found

    def read_status(self, answer: Answer, message: Message, now: float) -> Result | None:
        """Return what an answer about a text means; None: they do not have it. Pure."""
        fields = fields_of(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return _asked_again(self.unread(answer, message, now))
        status, code = whole(fields.get("status")), whole(fields.get("error_code"))
        if status == _NOT_FOUND:
            return None
        if status in _TAKEN:
            cost = amount(fields.get("cost"))
            return self.result(Outcome.DELIVERED, f"they have it: status {status}", message, answer, cost=cost)
        if status in _REFUSED:
            return self.result(Outcome.REJECTED, f"{status}: {_REFUSED[status]}", message, answer)
        if status == _NO_MONEY:
            return self.result(Outcome.BLOCKED, f"{status}: no money: top the account up", message, answer)
        if code in (2, 4):
            return self._error(fields, message, answer)
        after_ms = _BUSY_MS if code == 9 else _ASK_AGAIN_MS
        reason = f"the look-up failed: {fields.get('error', 'a status that is not known')}"
        return self.result(Outcome.THROTTLED if code else Outcome.UNKNOWN, reason, message, answer, after_ms=after_ms)

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask for the balance."""
        answer = await self._ask(tools, "balance", {})
        fields = fields_of(answer)
        if fields is None:
            return not_well(answer)
        if "balance" in fields:
            return ProbeResult(ok=True, message=f"the balance is {fields['balance']}")
        code = whole(fields.get("error_code"))
        _, meaning = _ERRORS.get(code or 0, (Outcome.UNKNOWN, "what this means is not known"))
        return ProbeResult(ok=False, message=f"{code}: {fields.get('error', '')}: {meaning}")

    async def _ask(self, tools: Tools, what: str, form: Mapping[str, str]) -> Answer:
        form = {**self._credentials, **form, "charset": "utf-8", "fmt": "3"}
        return await self.post(tools, f"{self._url}/sys/{what}.php", form)


def _asked_again(result: Result) -> Result:
    """Turn what would be unknown about a text into what is meant about a look-up: asking is harmless."""
    if result.outcome not in (Outcome.UNKNOWN, Outcome.RETRY):
        return result
    reason = f"the look-up failed: {result.reason}"
    return msgspec.structs.replace(result, outcome=Outcome.THROTTLED, reason=reason, after_ms=_ASK_AGAIN_MS)
