"""MoySklad's API in the settings of the HTTP sink: its requests, look-ups and what must be there first."""

from collections.abc import Mapping
from typing import Any, Final

from relay.config.sink import SinkSettings
from relay.sinks.http.settings import HttpSettings
from relay.sinks.moysklad.people import PersonSearch
from relay.sinks.moysklad.settings import MoySkladSettings


class MoySkladProfile(HttpSettings):
    """The settings of the HTTP sink that a MoySklad sink works by."""

    @property
    def recognised(self) -> bool:
        """A repetition is recognised by the syncId in its body."""
        return True


def http_settings(settings: MoySkladSettings) -> MoySkladProfile:
    """Return the HTTP sink's settings for a MoySklad sink."""
    if settings.token:
        auth: Mapping[str, Any] = {"bearer": settings.secret}
    else:
        auth = {"basic": {"username": settings.login, "password": settings.secret}}
    common = settings.model_dump(include=set(SinkSettings.model_fields), exclude_unset=True)
    own = {"concurrency": settings.concurrency, "url": settings.url, "auth": auth}
    profile = MoySkladProfile.model_validate({**_PROFILE, **common, **own})
    profile.hide_in_addresses(settings.address_secrets)
    return profile


def _counterparty_by(field: str, name: str) -> Mapping[str, Any]:
    query = {"filter": f"{field}=<{name}>", "limit": "2"}
    return {"path": "/entity/counterparty", "query": query, "id_path": "rows.*.meta"}


_PROFILE: Final[Mapping[str, Any]] = {
    "headers": {"Accept-Encoding": "gzip", "Accept": "application/json;charset=utf-8"},  # without gzip: an empty 415
    "idempotency_key": False,
    "retry_header": {"name": "X-Lognex-Retry-After", "unit": "ms"},
    "id_path": "id",
    "success_if": {"json": {"id": {"exists": True}}},  # their maintenance page comes with 200 too
    "lookup": {
        "path": "/entity/invoiceout",
        "query": {"filter": "externalCode=<external_code>", "limit": "2"},
        "id_path": "rows.*.id",
    },
    "needs": {
        "agent": {
            "lookup": [
                _counterparty_by("externalCode", "external_code"),
                _counterparty_by("inn", "inn"),
                PersonSearch(field="phone"),
                PersonSearch(field="email"),
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
