"""The sink of text messages: what all gateways share. Whom to text, when, how often, and never twice."""

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from relay.errors import RejectDelivery, StoreUnavailable
from relay.logs import log
from relay.model import Delivery, Json, Outcome, Result
from relay.retrying import UNITS_MS
from relay.sinks.base import ProbeResult, Sink
from relay.sinks.sms.content import Content, Message, read_content, sender_name, zone_name
from relay.sinks.sms.gateway import Gateway
from relay.sinks.sms.phone_numbers import e164
from relay.sinks.sms.rules import given_back
from relay.sinks.sms.segments import segments
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools

_REMEMBERED_MS: Final = 7 * UNITS_MS["d"]
_UNSURE_MS: Final = UNITS_MS["d"]


class SmsSink(Sink):
    """Send texts through a gateway. Made for each by `sink_of`."""

    gateway: ClassVar[type[Gateway]]
    content_keys = {"phone": True, "text": True, "sender": False, "timezone": False}  # noqa: RUF012  Sink's ClassVar
    context_params = {"account_timezone": "timezone"}  # noqa: RUF012  Sink's ClassVar
    skip_if_missing = frozenset({"phone"})

    def __init__(self, name: str, settings: SmsSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings
        self._policy = settings.policy_of(name)
        self._gateway = self.gateway(settings)

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store number and text. Raise SkipDelivery for nobody to reach, RejectDelivery for what cannot be sent."""
        return msgspec.json.encode(
            Content(
                phone=e164(params.get("phone"), self._settings.regions),
                text=self._text(params.get("text")),
                sender=_sender(params.get("sender")),
                timezone=zone_name(params.get("timezone")),
                account_timezone=zone_name(params.get("account_timezone")),
            )
        )

    def _text(self, given: object) -> str:
        if not isinstance(given, str | int | float) or isinstance(given, bool) or not str(given).strip():
            raise RejectDelivery("text: there is none")
        text, most = str(given), self._settings.max_segments
        if len(text) > self._gateway.longest:
            raise RejectDelivery(f"text: {len(text)} characters, and the gateway takes {self._gateway.longest}")
        if (count := segments(text)) > most:
            raise RejectDelivery(f"text: it would be {count} messages, and max_segments is {most}")
        return text

    async def admit(self, delivery: Delivery, tools: Tools) -> Result | None:
        """Hold the text against the policy, and spend what it counts for."""
        message, now = self._message(delivery), tools.now()
        if standing := self._policy.standing(message, now):
            return standing
        refusal = await tools.shared.spend_quotas(self._policy.caps(message, now))
        if refusal is None:
            return None
        refused = self._policy.refused(refusal, message, now)
        if refused is None:
            await tools.shared.put(self._note("unsure", delivery), b"1", _UNSURE_MS)
        return refused

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Send the text, and settle what it counted for."""
        again = await tools.shared.get(self._note("unsure", delivery)) is not None
        message, now = self._message(delivery, again=again), tools.now()
        result = await self._gateway.send(message, tools)
        try:
            await self._book(message, result, tools, now)
        except StoreUnavailable as error:  # the text has left: its outcome matters more than a count
            log.warning("sms.uncounted", sink=self.name, delivery_id=delivery.id, reason=str(error))
        return result

    async def _book(self, message: Message, result: Result, tools: Tools, now: float) -> None:
        """Correct what was spent by what came of it. What may have been sent stays spent."""
        if result.outcome is Outcome.UNKNOWN:
            return
        if result.outcome is Outcome.DELIVERED:
            changes = self._policy.correction(message, result.cost, now)
        else:
            changes = given_back(self._policy.caps(message, now))
        if changes:
            await tools.shared.spend_quotas(changes)

    async def lookup(self, delivery: Delivery, tools: Tools) -> Result:
        """Look for a text that may have been taken; believe that it was not only in time, and send it once more."""
        message = self._message(delivery)
        found = await self._gateway.lookup(message, tools)
        if found is not None:
            return found
        left_ms = (delivery.sent_at or 0) + self._gateway.found_within_ms - int(tools.now() * 1000)
        if left_ms > 0:
            return Result(outcome=Outcome.THROTTLED, reason="not found yet", after_ms=left_ms)
        resent = self._note("resent", delivery)
        if await tools.shared.get(resent) is not None:
            return Result(outcome=Outcome.UNKNOWN, reason="sent twice already, and the gateway finds neither")
        await tools.shared.put(resent, b"1", _REMEMBERED_MS)
        return Result(outcome=Outcome.RETRY, reason="the gateway does not have it")

    async def probe(self, tools: Tools) -> ProbeResult | None:
        """Ask for the balance."""
        return await self._gateway.probe(tools)

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show number, text and sender: the gateway's keys are not in it."""
        message = self._message_of("", read_content(content))
        return {
            "phone": message.phone,
            "text": message.text,
            "sender": message.sender,
            "segments": message.segments,
            "timezone": message.zone(self._policy.zone).key,
        }

    def _message(self, delivery: Delivery, *, again: bool = False) -> Message:
        return self._message_of(delivery.id, read_content(delivery.content), again=again)

    def _message_of(self, id: str, content: Content, *, again: bool = False) -> Message:
        return Message(
            id=id,
            phone=content.phone,
            text=content.text,
            sender=content.sender or self._settings.sender or "",
            timezone=content.timezone,
            account_timezone=content.account_timezone,
            again=again,
        )

    def _note(self, kind: str, delivery: Delivery) -> str:
        return f"sms:{self.name}:{kind}:{delivery.id}"


def gateway_sink(gateway: type[Gateway]) -> type[SmsSink]:
    """Make the type of sink that sends through a gateway."""
    made = gateway

    class GatewaySink(SmsSink):
        type = made.type
        Settings = made.Settings
        gateway = made

    return GatewaySink


def _sender(given: object) -> str:
    if given is None or given == "":
        return ""
    try:
        return sender_name(str(given))
    except ValueError as error:
        raise RejectDelivery(f"sender: {error}") from None
