"""MoySklad 1.2: customers' invoices (invoiceout). A profile of the HTTP sink.

A won lead is one invoice: `syncId`, which follows from the delivery's id, makes MoySklad answer a repeated create with
the invoice that is there. Its counterparty is looked up by external code, INN, phone, e-mail, else created.
"""

import uuid
from collections.abc import Mapping
from typing import ClassVar, Final

from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.attempt_calls import AttemptCalls
from relay.sinks.http.answers import Interpretation
from relay.sinks.http.lookups import LookupResult, found_result, read_lookup
from relay.sinks.http.settings import LookupSettings
from relay.sinks.http.sink import HttpSink
from relay.sinks.json_paths import values_at
from relay.sinks.moysklad.answers import interpret_moysklad, is_not_unique
from relay.sinks.moysklad.content import invoice
from relay.sinks.moysklad.people import MOST_FOUND, PAGE, PersonSearch
from relay.sinks.moysklad.profile import http_settings
from relay.sinks.moysklad.settings import MoySkladSettings
from relay.transport import Response, body_json

_SYNC_IDS: Final = uuid.UUID("5c5a4d0e-7f0c-5f5e-9a43-0d6a1d5f7b11")


class MoySkladSink(HttpSink):
    """Create an invoice in MoySklad."""

    type = "moysklad"
    Settings = MoySkladSettings
    content_keys = {"external_code": True, "counterparty": True, "positions": True} | dict.fromkeys(
        ("number", "description", "moment"), False
    )
    exclusive_keys = ()
    varying_keys: ClassVar[Mapping[str, str]] = {
        "external_code": "all would be one invoice",
        "number": "all invoices would have one number",
    }

    def __init__(self, name: str, settings: MoySkladSettings) -> None:
        super().__init__(name, http_settings(settings))
        self.limits = settings.limits(name)
        self._url = settings.url
        self._organization = str(settings.organization)

    def content(self, params: Mapping[str, object]) -> bytes:
        """Make an invoice of `external_code`, `counterparty`, `positions` in kopecks. Raise RejectDelivery."""
        return super().content(invoice(params, self._url, self._organization))

    def key(self, delivery: Delivery) -> str:
        """Return the invoice's syncId."""
        return str(uuid.uuid5(_SYNC_IDS, delivery.id))

    def interpret(self, answer: Response) -> Interpretation:
        """Return what an answer means by itself, by MoySklad's error codes first. Pure."""
        return interpret_moysklad(self._settings, answer)

    async def _call_lookup(
        self, settings: LookupSettings, values: Mapping[str, Json], calls: AttemptCalls
    ) -> LookupResult:
        if not isinstance(settings, PersonSearch):
            return await super()._call_lookup(settings, values, calls)
        value = str(values[settings.field])
        for filter in settings.filters(value):
            found = await self._search(settings, filter, value, calls)
            if found.state != "missing":
                return found
        return LookupResult(state="missing")

    async def _search(self, search: PersonSearch, filter: str, value: str, calls: AttemptCalls) -> LookupResult:
        """Read all that a filter finds, page by page, and keep who is meant."""
        meant: list[Json] = []
        for offset in range(0, MOST_FOUND, PAGE):
            result, answer = await self._ask(search.request(filter, offset), calls)
            page = read_lookup(search, result, answer)
            if page.state == "unclear":
                return page
            rows = values_at(body_json(answer), "rows.*") if isinstance(answer, Response) else []
            meant += search.matching(rows, value)
            if len(rows) < PAGE:
                return found_result(meant) if meant else LookupResult(state="missing")
        reason = f"more than {MOST_FOUND} counterparties fit {filter}: give an inn or external_code of the counterparty"
        return LookupResult(state="unclear", result=Result(outcome=Outcome.REJECTED, reason=reason))

    def conflicts(self, answer: Response) -> bool:
        """Return whether something in it must be unique and exists already. Pure."""
        return is_not_unique(answer)
