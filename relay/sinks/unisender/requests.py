"""The calls of UniSender's API, made from a contact and the sink's settings. Pure."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from relay.masking import MASK, is_unmistakable, mask_secrets
from relay.model import Json, Record
from relay.sinks.unisender.content import Contact
from relay.sinks.unisender.settings import UnisenderSettings
from relay.sinks.urls import join_url
from relay.transport import Request

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class ApiCall(Record):
    """A method with its arguments, without the api_key."""

    method: str
    arguments: Mapping[str, str]


class UnisenderRequests:
    """Makes calls by the sink's settings."""

    def __init__(self, settings: UnisenderSettings) -> None:
        self._settings = settings
        self._key = settings.api_key.get_secret_value()

    def build(self, call: ApiCall) -> Request:
        """Build a request. All arguments are in the body: they refuse some in the query and some in the body."""
        form = {"api_key": self._key, "format": "json", **call.arguments}
        return Request(
            method="POST",
            url=join_url(self._url(call)),
            headers=_HEADERS,
            body=urlencode(form).encode(),
            timeout_ms=self._settings.timeout,
        )

    def describe(self, call: ApiCall) -> Mapping[str, Json]:
        """Return a call as it would be made, the key masked."""
        return {
            "method": "POST",
            "url": self._url(call),
            "body": {"api_key": MASK, "format": "json", **call.arguments},
        }

    def masked(self, text: str) -> str:
        """Hide the key in what they say."""
        return mask_secrets(text, filter(is_unmistakable, (self._key,)))

    def contact_call(self, contact: Contact) -> ApiCall:
        """Return the call that subscribes, excludes or unsubscribes one contact."""
        if contact.action != "subscribe":
            kind, address = contact.address
            arguments = {"contact_type": kind, "contact": address, "list_ids": self._joined_lists(contact)}
            return ApiCall(method=contact.action, arguments=arguments)
        tags = self._tags(contact)
        return ApiCall(
            method="subscribe",
            arguments={
                "list_ids": self._joined_lists(contact),
                **{f"fields[{name}]": value for name, value in {**_addresses(contact), **contact.fields}.items()},
                **({"tags": tags} if tags else {}),
                "double_optin": str(self._settings.double_optin),
                "overwrite": str(self._settings.overwrite),
            },
        )

    def import_row(self, contact: Contact) -> Mapping[str, str]:
        """Return a contact's row of an import by column. The lists are given for each of its addresses."""
        tags, lists = self._tags(contact), self._joined_lists(contact)
        list_columns = {f"{kind}_list_ids": lists for kind in _addresses(contact)}
        return {**_addresses(contact), **list_columns, **({"tags": tags} if tags else {}), **contact.fields}

    def import_call(self, rows: Sequence[Mapping[str, str]]) -> ApiCall:
        """Return the call that imports rows, all of the same columns."""
        columns = list(rows[0])
        return ApiCall(
            method="importContacts",
            arguments={
                **{f"field_names[{c}]": name for c, name in enumerate(columns)},
                **{f"data[{r}][{c}]": row[name] for r, row in enumerate(rows) for c, name in enumerate(columns)},
                "overwrite_tags": "0",
                "overwrite_lists": "0",
            },
        )

    def lists(self, contact: Contact) -> Sequence[int]:
        """Return the lists of a contact: its route's, or the sink's."""
        return self._settings.list_ids if contact.list_ids is None else contact.list_ids

    def _joined_lists(self, contact: Contact) -> str:
        return ",".join(map(str, self.lists(contact)))

    def _tags(self, contact: Contact) -> str:
        return ",".join(self._settings.tags if contact.tags is None else contact.tags)

    def _url(self, call: ApiCall) -> str:
        return f"{self._settings.url.rstrip('/')}/{self._settings.lang}/api/{call.method}"


def _addresses(contact: Contact) -> dict[str, str]:
    return {kind: value for kind, value in (("email", contact.email), ("phone", contact.phone)) if value}
