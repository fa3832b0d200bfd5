"""MoySklad 1.2: customers' invoices (invoiceout). A profile of the HTTP sink.

A won lead is one invoice: `syncId`, which follows from the delivery's id, makes MoySklad answer a repeated create with
the invoice that is there. Its counterparty is looked up by external code, INN, phone, e-mail, else made.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field, SecretStr, model_validator

from relay.config.sink import SinkSettings
from relay.model import Delivery, Limit, Outcome
from relay.retrying import OnUnknown
from relay.sinks.checks import json_of, pick
from relay.sinks.http.answers import Meaning, meaning, said
from relay.sinks.http.auth import Address
from relay.sinks.http.settings import HttpSettings
from relay.sinks.http.sink import HttpSink
from relay.sinks.moysklad.invoice import invoice
from relay.transport import Response

URL: Final = "https://api.moysklad.ru/api/remap/1.2"
PARALLEL: Final = 5  # calls of one user at a time

RATES: Final[Sequence[tuple[datetime, int]]] = (
    (datetime(2026, 12, 1, tzinfo=UTC), 11),
    (datetime.min.replace(tzinfo=UTC), 15),
)
"""Requests in 3 seconds, each from a moment on, the latest first."""
# 200 identical failures in a minute and access is cut until their support restores it: so never 200 calls.
A_MINUTE: Final = 190

_SYNC_IDS: Final = uuid.UUID("5c5a4d0e-7f0c-5f5e-9a43-0d6a1d5f7b11")

_CODES: Final[Mapping[int, Outcome]] = {
    1043: Outcome.BLOCKED,
    1048: Outcome.BLOCKED,
    1056: Outcome.BLOCKED,
    1061: Outcome.BLOCKED,
    1070: Outcome.BLOCKED,
    1049: Outcome.THROTTLED,
    1073: Outcome.THROTTLED,
    1065: Outcome.RETRY,
    1074: Outcome.RETRY,
    1083: Outcome.RETRY,
    1088: Outcome.RETRY,
    **dict.fromkeys(range(3000, 3040), Outcome.REJECTED),
}
_NOT_UNIQUE: Final = 3006
_STATUSES: Final = {405: Outcome.BLOCKED, 415: Outcome.BLOCKED}  # they concern how we ask, not what


def rate_at(now: datetime) -> tuple[int, int]:
    """Return how many requests in how many milliseconds they allow at a time.

    It is asked when the configuration is read. A process that lives past such a day is told by 429s, which the limit of
    a minute keeps harmless.
    """
    return next(count for since, count in RATES if since <= now), 3_000


class MoySkladSettings(SinkSettings):
    """Who we are to MoySklad, `token` or `login` and `password`, and the id of our own organization there."""

    url: Address = URL
    token: SecretStr | None = None
    login: str | None = None
    password: SecretStr | None = None
    organization: uuid.UUID
    concurrency: int = Field(default=PARALLEL, ge=1, le=PARALLEL)

    @model_validator(mode="after")
    def _one_way_in(self) -> "MoySkladSettings":
        if (self.token is None) == (self.login is None) or (self.login is None) != (self.password is None):
            raise ValueError("give either token, or login and password")
        return self

    @property
    def looks_up(self) -> bool:
        """An invoice is found by its external code."""
        return True

    @property
    def unknown(self) -> OnUnknown:
        """By its syncId they recognise a repetition."""
        return self.on_unknown or "retry"

    @property
    def credential(self) -> str:
        """Name the user whom the limits are for, without telling who it is."""
        secret = self.token or self.password
        assert secret
        return hashlib.sha256(f"{self.login or ''}\0{secret.get_secret_value()}".encode()).hexdigest()[:16]

    def limits(self, _: str) -> tuple[Limit, ...]:
        """Build the limits, counted for the user over all sinks."""
        count, per_ms = self.rate or rate_at(datetime.now(UTC))
        key = f"moysklad:{self.credential}"
        return Limit(key=key, count=count, per_ms=per_ms), Limit(key=f"{key}:minute", count=A_MINUTE, per_ms=60_000)

    def profile(self) -> "_Profile":
        """Say all this in the words of the HTTP sink."""
        secret = self.token or self.password
        assert secret
        auth = {"bearer": secret} if self.token else {"basic": {"username": self.login, "password": secret}}
        common = self.model_dump(include=set(SinkSettings.model_fields), exclude_unset=True)
        own = {"concurrency": self.concurrency, "url": self.url, "auth": auth}
        return _Profile.model_validate({**_PROFILE, **common, **own})


class _Profile(HttpSettings):
    @property
    def recognised(self) -> bool:
        return True


def _found_by(field: str, name: str) -> Mapping[str, Any]:
    query = {"filter": f"{field}=<{name}>", "limit": "2"}
    return {"path": "/entity/counterparty", "query": query, "id_path": "rows.*.meta"}


_PROFILE: Final[Mapping[str, Any]] = {
    "headers": {"Accept-Encoding": "gzip", "Accept": "application/json;charset=utf-8"},  # without gzip: an empty 415
    "idempotency_key": False,
    "retry_header": {"name": "X-Lognex-Retry-After", "unit": "ms"},
    "id_path": "id",
    "success_if": {"json": {"id": {"exists": True}}},  # a page of maintenance comes with 200 too
    "lookup": {
        "path": "/entity/invoiceout",
        "query": {"filter": "externalCode=<external_code>", "limit": "2"},
        "id_path": "rows.*.id",
    },
    "needs": {
        "agent": {
            "lookup": [
                _found_by("externalCode", "external_code"),
                _found_by("inn", "inn"),
                _found_by("phone", "phone"),
                _found_by("email", "email"),
            ],
            "create": {
                "path": "/entity/counterparty",
                "body": {
                    "name": "<name>",
                    "externalCode": "<external_code>",
                    "inn": "<inn>",
                    "phone": "<phone>",
                    "email": "<email>",
                    "companyType": "<company_type>",
                    "syncId": "<key>",
                },
                "id_path": "meta",
            },
        }
    },
    "probe": {"path": "/entity/organization", "query": {"limit": "1"}},
}


class MoySkladSink(HttpSink):
    """Make an invoice in MoySklad."""

    type = "moysklad"
    Settings = MoySkladSettings
    content_keys = {"external_code": True, "counterparty": True, "positions": True} | dict.fromkeys(
        ("number", "description", "moment"), False
    )
    exclusive_keys = ()

    def __init__(self, name: str, settings: MoySkladSettings) -> None:
        super().__init__(name, settings.profile())
        self.limits = settings.limits(name)
        self._own = settings

    def content(self, params: Mapping[str, object]) -> bytes:
        """Make an invoice of `external_code`, `counterparty`, `positions` in kopecks. Raise RejectDelivery."""
        return super().content(invoice(params, self._own.url, str(self._own.organization)))

    def key(self, delivery: Delivery) -> str:
        """Return the invoice's syncId."""
        return str(uuid.uuid5(_SYNC_IDS, delivery.id))

    def meaning(self, answer: Response) -> Meaning:
        """Return what an answer means, by the codes of its errors, else by its status."""
        for code in _codes(answer):
            if code in _CODES:
                return _CODES[code], f"{said(answer)}: error {code} of MoySklad's"
        if answer.status in _STATUSES:
            return _STATUSES[answer.status], f"{said(answer)}: MoySklad does not take requests like ours any more"
        return meaning(self._settings, answer)

    def conflicts(self, answer: Response) -> bool:
        """Return whether something in it must be unique and is there already."""
        return _NOT_UNIQUE in _codes(answer)


def _codes(answer: Response) -> Iterator[int]:
    if answer.status >= 300:
        yield from (code for code in pick(json_of(answer.body), "errors.*.code") if isinstance(code, int))
