"""MoySklad 1.2: customers' invoices (invoiceout). A profile of the HTTP sink.

A won lead is one invoice: `syncId`, which follows from the delivery's id, makes MoySklad answer a repeated create with
the invoice that is there. Its counterparty is looked up by external code, INN, phone, e-mail, else created.
"""

import uuid
from collections.abc import Mapping
from typing import ClassVar, Final

from relay.model import Delivery
from relay.sinks.http.answers import Interpretation
from relay.sinks.http.sink import HttpSink
from relay.sinks.moysklad.answers import interpret_moysklad, is_not_unique
from relay.sinks.moysklad.content import invoice
from relay.sinks.moysklad.profile import http_settings
from relay.sinks.moysklad.settings import MoySkladSettings
from relay.transport import Response

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

    def conflicts(self, answer: Response) -> bool:
        """Return whether something in it must be unique and exists already. Pure."""
        return is_not_unique(answer)
