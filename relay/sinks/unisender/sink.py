"""UniSender's mailing lists (and Selzy's, which has the same methods): contacts join, are excluded, unsubscribe."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.attempt_calls import AttemptCalls
from relay.sinks.base import ProbeResult, Sink
from relay.sinks.tools import Tools
from relay.sinks.unisender.answers import Said, meaning, read
from relay.sinks.unisender.content import Contact, contact_of
from relay.sinks.unisender.imports import MAX_IMPORTED, ContactImport, Member
from relay.sinks.unisender.lookups import found, probed
from relay.sinks.unisender.requests import Call, Requests
from relay.sinks.unisender.settings import UnisenderSettings
from relay.transport import call

_contact = msgspec.json.Decoder(Contact).decode


class UnisenderSink(Sink):
    """Send contacts to lists. Where nobody gets a letter by it, those that wait go in one import."""

    type = "unisender"
    Settings = UnisenderSettings
    content_keys: ClassVar[Mapping[str, bool]] = {"fields": True, "action": False, "list_ids": False, "tags": False}
    skip_if_missing = frozenset({"fields.email", "fields.phone"})
    batch_from = 51

    def __init__(self, name: str, settings: UnisenderSettings) -> None:
        super().__init__(name, settings)
        self._list_ids = settings.list_ids
        self._double_optin = settings.double_optin
        self._requests = Requests(settings)
        self.batch = MAX_IMPORTED if settings.batches else 1

    def content(self, params: Mapping[str, object]) -> bytes:
        """Make the content: the contact and what is to be done. Raise RejectDelivery or SkipDelivery."""
        return msgspec.json.encode(contact_of(params))

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt."""
        contact = _contact(delivery.content)
        said = await self._ask(self._requests.single(contact), tools)
        return self._masked(meaning(said, contact, delivery.attempts))

    async def send_batch(self, deliveries: Sequence[Delivery], tools: Tools) -> list[Result]:
        """Import what subscribes, as far as limits and time allow."""
        members = [Member(delivery=delivery, contact=_contact(delivery.content)) for delivery in deliveries]
        importing = ContactImport(members, self._requests, AttemptCalls(tools, self.send_timeout_ms, self.limits))
        return [self._masked(result) for result in await importing.run()]

    async def lookup(self, delivery: Delivery, tools: Tools) -> Result:
        """Ask what they know of the contact."""
        contact = _contact(delivery.content)
        if contact.action != "subscribe":
            return Result(outcome=Outcome.RETRY, reason="who has left may leave again")
        if not contact.email:
            return Result(outcome=Outcome.UNKNOWN, reason="they can be asked for an e-mail address only")
        # A grant of its own: the claim's is for sending, which may follow.
        if wait_ms := await tools.shared.take_grant(self.limits):
            return Result(outcome=Outcome.THROTTLED, reason="no call is free for looking up", after_ms=wait_ms)
        question = Call(method="getContact", arguments={"email": contact.email, "include_lists": "1"})
        said, lists = await self._ask(question, tools), self._requests.lists(contact)
        result = self._masked(found(said, lists, knows_without_letter=self._double_optin == 4))
        return msgspec.structs.replace(result, reason=contact.masked(result.reason))

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask for the lists."""
        said = await self._ask(Call(method="getLists", arguments={}), tools)
        told = probed(said, self._list_ids, letters=self._double_optin != 3)
        return ProbeResult(ok=told.ok, message=self._requests.masked(told.message))

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show the call as it would be made today, the key masked."""
        return self._requests.describe(self._requests.single(_contact(content)))

    async def _ask(self, method: Call, tools: Tools) -> Said:
        return read(await call(tools.session, self._requests.build(method)))

    def _masked(self, result: Result) -> Result:
        return msgspec.structs.replace(result, reason=self._requests.masked(result.reason))
