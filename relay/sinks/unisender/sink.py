"""UniSender's mailing lists (and Selzy's, which has the same methods): contacts join, are excluded, unsubscribe."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.attempt_calls import AttemptCalls
from relay.sinks.base import ProbeResult, Sink
from relay.sinks.tools import Tools
from relay.sinks.unisender.answers import ApiAnswer, interpret, parse_answer
from relay.sinks.unisender.content import Contact, make_contact
from relay.sinks.unisender.imports import MAX_IMPORTED, ContactDelivery, ContactImport
from relay.sinks.unisender.lookups import lookup_result, probe_result
from relay.sinks.unisender.requests import ApiCall, UnisenderRequests
from relay.sinks.unisender.settings import UnisenderSettings
from relay.transport import call

_contact = msgspec.json.Decoder(Contact).decode


class UnisenderSink(Sink):
    """Send contacts to lists; many that wait go in one import, where that means the same as single calls."""

    type = "unisender"
    Settings = UnisenderSettings
    content_keys: ClassVar[Mapping[str, bool]] = {"fields": True, "action": False, "list_ids": False, "tags": False}
    skip_if_missing = frozenset({"fields.email", "fields.phone"})
    varying_keys: ClassVar[Mapping[str, str]] = {
        "fields.email": "all would be one contact",
        "fields.phone": "all would be one contact",
    }
    batch_from = 51

    def __init__(self, name: str, settings: UnisenderSettings) -> None:
        super().__init__(name, settings)
        self._list_ids = settings.list_ids
        self._double_optin = settings.double_optin
        self._requests = UnisenderRequests(settings)
        self.batch = MAX_IMPORTED if settings.batches else 1

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store the contact and what is to be done. Raise RejectDelivery or SkipDelivery."""
        return msgspec.json.encode(make_contact(params))

    def erasure(self, content: bytes) -> bytes | None:
        """Return what excludes a contact from the lists that it was to join: UniSender's API deletes none."""
        contact = _contact(content)
        if contact.action != "subscribe":
            return None
        return msgspec.json.encode(
            Contact(action="exclude", email=contact.email, phone=contact.phone, list_ids=contact.list_ids)
        )

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt."""
        contact = _contact(delivery.content)
        answer = await self._call(self._requests.contact_call(contact), tools)
        return self._masked(interpret(answer, contact, delivery.attempts))

    async def send_batch(self, deliveries: Sequence[Delivery], tools: Tools) -> list[Result]:
        """Import the contacts that subscribe, as far as limits and time allow."""
        contacts = [ContactDelivery(delivery=delivery, contact=_contact(delivery.content)) for delivery in deliveries]
        contact_import = ContactImport(contacts, self._requests, AttemptCalls(tools, self.send_timeout_ms, self.limits))
        return [self._masked(result) for result in await contact_import.run()]

    async def lookup(self, delivery: Delivery, tools: Tools) -> Result:
        """Ask whether the contact is there."""
        contact = _contact(delivery.content)
        if contact.action != "subscribe":
            return Result(outcome=Outcome.RETRY, reason="excluding or unsubscribing twice does no harm")
        if not contact.email:
            return Result(outcome=Outcome.UNKNOWN, reason="only an e-mail address can be looked up")
        # The claim's grant is for sending, which may follow.
        if wait_ms := await tools.shared.take_grant(self.limits):
            return Result(
                outcome=Outcome.THROTTLED, reason="the sink's rate leaves no room for a look-up now", after_ms=wait_ms
            )
        get_contact = ApiCall(method="getContact", arguments={"email": contact.email, "include_lists": "1"})
        answer, lists = await self._call(get_contact, tools), self._requests.lists(contact)
        result = self._masked(lookup_result(answer, lists, known_join_without_letter=self._double_optin == 4))
        return msgspec.structs.replace(result, reason=contact.masked(result.reason))

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask for the account's lists."""
        answer = await self._call(ApiCall(method="getLists", arguments={}), tools)
        result = probe_result(answer, self._list_ids, letters=self._double_optin != 3)
        return ProbeResult(ok=result.ok, message=self._requests.masked(result.message))

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the call as it would be made today, the key masked."""
        return self._requests.describe(self._requests.contact_call(_contact(content)))

    async def _call(self, api_call: ApiCall, tools: Tools) -> ApiAnswer:
        return parse_answer(await call(tools.session, self._requests.build(api_call)))

    def _masked(self, result: Result) -> Result:
        return msgspec.structs.replace(result, reason=self._requests.masked(result.reason))
