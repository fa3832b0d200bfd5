"""Fetch how an account is set up and what it calls its ids: pipelines, statuses, users and custom fields.

All of it or nothing: what a partial answer lacks is not gone, so such an answer is an error.
"""

from collections.abc import Sequence
from typing import Final

from relay.accounts.answers import JsonObject
from relay.accounts.client import PAGE_SIZE, AccountClient, embedded_items
from relay.accounts.hook_shape import API_NAMES
from relay.accounts.setup import AccountField, AccountPipeline, AccountSetup, AccountUser
from relay.errors import AccountUnavailable

_PIPELINES: Final = "/api/v4/leads/pipelines"
_USERS: Final = "/api/v4/users"
_FIELDS_AT_ONCE: Final = 50
_MOST_PAGES: Final = 1000
_CHOICES: Final = ("select", "multiselect", "radiobutton")  # types of fields whose values are chosen from a list


async def fetch_setup(client: AccountClient) -> AccountSetup:
    """Fetch how an account is set up. Raises as the client does; AccountUnavailable also for a partial answer."""
    return AccountSetup(
        pipelines=await _pipelines(client),
        users=await _users(client),
        fields={entity: await _fields(client, path) for entity, path in API_NAMES.items()},
    )


async def _pipelines(client: AccountClient) -> dict[str, AccountPipeline]:
    answer = await client.get(_PIPELINES)
    found = {
        _id(client, _PIPELINES, item): AccountPipeline(
            name=_name(item), statuses={str(status["id"]): _name(status) for status in embedded_items(item, "statuses")}
        )
        for item in _items(client, _PIPELINES, "pipelines", answer)
    }
    _check_total(client, _PIPELINES, answer, len(found))
    if not found or not all(pipeline.statuses for pipeline in found.values()):
        raise _partial(client, _PIPELINES, "every account has a pipeline, and every pipeline statuses")
    return found


async def _users(client: AccountClient) -> dict[str, AccountUser]:
    found = {
        _id(client, _USERS, user): AccountUser(name=_name(user), active=_is_active(user))
        for user in await _list(client, _USERS, "users", PAGE_SIZE)
    }
    if not found:
        raise _partial(client, _USERS, "every account has a user")
    return found


async def _fields(client: AccountClient, entities: str) -> dict[str, AccountField]:
    path = f"/api/v4/{entities}/custom_fields"
    return {
        _id(client, path, field): AccountField(
            name=_name(field), code=field.get("code") or "", type=field.get("type") or "", values=_values(field)
        )
        for field in await _list(client, path, "custom_fields", _FIELDS_AT_ONCE)
    }


def _is_active(user: JsonObject) -> bool:
    return (user.get("rights") or {}).get("is_active") is not False


def _values(field: JsonObject) -> list[str]:
    """Return the values that can be chosen; a phone number has kinds of numbers there, which are none."""
    enums = field.get("enums") if field.get("type") in _CHOICES else None
    return [str(one.get("value")) for one in enums or () if isinstance(one, dict)]


async def _list(client: AccountClient, path: str, name: str, limit: int) -> list[JsonObject]:
    """Read all pages of a list."""
    found: list[JsonObject] = []
    for page in range(1, _MOST_PAGES):
        answer = await client.get(path, {"page": page, "limit": limit})
        if answer is None and page > 1:
            raise _partial(client, path, f"there is no page {page}, which the one before it names")
        found += () if answer is None else _items(client, path, name, answer)
        if "next" not in ((answer or {}).get("_links") or {}):
            _check_total(client, path, answer, len(found))
            return found
    raise _partial(client, path, f"it does not end within {_MOST_PAGES} pages")


def _items(client: AccountClient, path: str, name: str, answer: JsonObject | None) -> Sequence[JsonObject]:
    listed = ((answer or {}).get("_embedded") or {}).get(name)
    items = embedded_items(answer, name)
    if not isinstance(listed, list) or len(items) < len(listed):
        raise _partial(client, path, f"it has no list of {name}")
    return items


def _check_total(client: AccountClient, path: str, answer: JsonObject | None, found: int) -> None:
    total = (answer or {}).get("_total_items")
    if isinstance(total, int) and total > found:
        raise _partial(client, path, f"it has {found} of {total}")


def _partial(client: AccountClient, path: str, why: str) -> AccountUnavailable:
    return AccountUnavailable(f"{client.source}: GET {path}: amoCRM's answer is not whole: {why}: try again")


def _id(client: AccountClient, path: str, item: JsonObject) -> str:
    if "id" not in item:
        raise _partial(client, path, "something in it has no id")
    return str(item["id"])


def _name(item: JsonObject) -> str:
    return str(item.get("name") or "")
