"""The sink of text messages, whatever the gateway: whom to text, when, how often, and never twice."""

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from relay.config.findings import format_value
from relay.durations import UNITS_MS
from relay.errors import RejectDelivery, StoreUnavailable
from relay.logs import log
from relay.model import Delivery, Json, Outcome, Result
from relay.rendering.template import is_template
from relay.sinks.base import ProbeResult, Sink
from relay.sinks.sms.content import Message, SmsContent, check_sender, parse_timezone, read_content
from relay.sinks.sms.gateway import Gateway
from relay.sinks.sms.phone_numbers import parse_phone
from relay.sinks.sms.rules import refunds
from relay.sinks.sms.segments import count_segments, fit_gsm
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools

_REMEMBERED_MS: Final = 7 * UNITS_MS["d"]
_UNSURE_MS: Final = UNITS_MS["d"]
_FEWEST_DIGITS: Final = 7  # of a phone number


class SmsSink(Sink):
    """Send texts through a gateway. `gateway_sink` makes the class for each."""

    gateway: ClassVar[type[Gateway]]
    content_keys = {"phone": True, "text": True, "sender": False, "timezone": False}  # noqa: RUF012  Sink's ClassVar
    context_params = {"account_timezone": "timezone"}  # noqa: RUF012  Sink's ClassVar
    skip_if_missing = frozenset({"phone"})

    def __init__(self, name: str, settings: SmsSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings
        self._rules = settings.sending_rules(name)
        self._gateway = self.gateway(settings)

    @classmethod
    def check_constant(cls, key: str, value: object) -> str | None:
        """Return why a phone cannot be one: a number may be the same for every event, any other text is a mistake."""
        if key != "phone" or not isinstance(value, str) or is_template(value):
            return None
        digits = sum(character.isdigit() for character in value)
        return None if digits >= _FEWEST_DIGITS else f"{format_value(value)} is no phone number"

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store number and text. Raise SkipDelivery where nobody can be reached, RejectDelivery for a wrong value."""
        return msgspec.json.encode(
            SmsContent(
                phone=parse_phone(params.get("phone"), self._settings.regions),
                text=self._text(params.get("text")),
                sender=_sender(params.get("sender")),
                timezone=parse_timezone(params.get("timezone")),
                account_timezone=parse_timezone(params.get("account_timezone")),
            )
        )

    def _text(self, value: object) -> str:
        if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
            raise RejectDelivery("text: there is none")
        text, max_segments = fit_gsm(str(value)), self._settings.max_segments
        if len(text) > self._gateway.max_characters:
            raise RejectDelivery(f"text: {len(text)} characters, and the gateway takes {self._gateway.max_characters}")
        if (count := count_segments(text)) > max_segments:
            raise RejectDelivery(f"text: it would be {count} messages, and max_segments is {max_segments}")
        return text

    async def admit(self, delivery: Delivery, tools: Tools) -> Result | None:
        """Check the text against the rules, and count it."""
        message, now = self._message(delivery), tools.now()
        if refusal := self._rules.refusal(message, now):
            return refusal
        quotas = self._rules.quotas(message, now)
        exceeded = await tools.shared.spend_quotas(quotas, self._rules.budgets(quotas))
        if exceeded is None:
            return None
        refusal = self._rules.quota_refusal(exceeded, message, now)
        if refusal is None:
            await tools.shared.put(self._key("unsure", delivery), b"1", _UNSURE_MS)
        return refusal

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Send the text, and correct what it was counted for."""
        unsure = await tools.shared.get(self._key("unsure", delivery)) is not None
        message, now = self._message(delivery, maybe_sent_before=unsure), tools.now()
        result = await self._gateway.send(message, tools)
        try:
            await self._correct_quotas(message, result, tools, now)
        except StoreUnavailable as error:  # the outcome of the text is known, which matters more than the count
            log.warning("sms.uncounted", sink=self.name, delivery_id=delivery.id, reason=str(error))
        return result

    async def _correct_quotas(self, message: Message, result: Result, tools: Tools, now: float) -> None:
        """Correct what the text was counted for by its result. A text that may have been sent stays counted."""
        if result.outcome is Outcome.UNKNOWN:
            return
        if result.outcome is Outcome.DELIVERED:
            changes = self._rules.cost_correction(message, result.cost, now)
        else:
            changes = refunds(self._rules.quotas(message, now))
        if changes:
            await tools.shared.spend_quotas(changes)

    async def lookup(self, delivery: Delivery, tools: Tools) -> Result:
        """Look for a text that may have been accepted. When it must be visible by now and is not, send it once more."""
        message = self._message(delivery)
        result = await self._gateway.lookup(message, tools)
        if result is not None:
            return result
        left_ms = (delivery.sent_at or 0) + self._gateway.found_within_ms - int(tools.now() * 1000)
        if left_ms > 0:
            return Result(outcome=Outcome.THROTTLED, reason="not found yet", after_ms=left_ms)
        resent = self._key("resent", delivery)
        if await tools.shared.get(resent) is not None:
            return Result(outcome=Outcome.UNKNOWN, reason="sent twice already, and the gateway finds neither")
        await tools.shared.put(resent, b"1", _REMEMBERED_MS)
        return Result(outcome=Outcome.RETRY, reason="the gateway does not have it")

    async def probe(self, tools: Tools) -> ProbeResult | None:
        """Make the gateway's free call, such as asking for the balance."""
        return await self._gateway.probe(tools)

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return number, text and sender, without the gateway's keys."""
        message = self._message_of("", read_content(content))
        return {
            "phone": message.phone,
            "text": message.text,
            "sender": message.sender,
            "segments": message.segments,
            "timezone": message.zone(self._rules.zone).key,
        }

    def _message(self, delivery: Delivery, *, maybe_sent_before: bool = False) -> Message:
        return self._message_of(delivery.key, read_content(delivery.content), maybe_sent_before=maybe_sent_before)

    def _message_of(self, id: str, content: SmsContent, *, maybe_sent_before: bool = False) -> Message:
        return Message(
            id=id,
            phone=content.phone,
            text=content.text,
            sender=content.sender or self._settings.sender or "",
            timezone=content.timezone,
            account_timezone=content.account_timezone,
            maybe_sent_before=maybe_sent_before,
        )

    def _key(self, kind: str, delivery: Delivery) -> str:
        return f"sms:{self.name}:{kind}:{delivery.key}"


def gateway_sink(gateway_type: type[Gateway]) -> type[SmsSink]:
    """Return the sink type that sends through a gateway."""

    class GatewaySink(SmsSink):
        type = gateway_type.type
        Settings = gateway_type.Settings
        gateway = gateway_type

    return GatewaySink


def _sender(value: object) -> str:
    if value is None or value == "":
        return ""
    try:
        return check_sender(str(value))
    except ValueError as error:
        raise RejectDelivery(f"sender: {error}") from None
