"""Fetch what the account's ids are called, and write it down for the configuration to use."""

import json
import re
from collections.abc import Iterator, Mapping

from relay.accounts.answers import JsonObject
from relay.accounts.client import AccountClient, embedded_items
from relay.config.account_names import AccountNames, Field, Pipeline

_UNREADABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
FIELDS_OF = {"lead": "leads", "contact": "contacts", "company": "companies"}


async def fetch_names(client: AccountClient) -> AccountNames:
    """Fetch pipelines with their statuses, users and custom fields. Raises as the client does."""
    return AccountNames(
        pipelines=await _pipelines(client),
        users=await _users(client),
        fields={entity: await _fields(client, plural) for entity, plural in FIELDS_OF.items()},
    )


async def _pipelines(client: AccountClient) -> dict[str, Pipeline]:
    answer = await client.get("/api/v4/leads/pipelines")
    return {
        str(item["id"]): Pipeline(
            name=_name(item), statuses={str(status["id"]): _name(status) for status in embedded_items(item, "statuses")}
        )
        for item in embedded_items(answer, "pipelines")
    }


async def _users(client: AccountClient) -> dict[str, str]:
    pages = client.pages("/api/v4/users", "users")
    return {str(user["id"]): _name(user) async for page in pages for user in page}


async def _fields(client: AccountClient, entities: str) -> dict[str, Field]:
    pages = client.pages(f"/api/v4/{entities}/custom_fields", "custom_fields", limit=50)
    return {
        str(field["id"]): Field(name=_name(field), code=field.get("code") or "", type=field.get("type") or "")
        async for page in pages
        for field in page
    }


def _name(item: JsonObject) -> str:
    return str(item.get("name") or "")


def to_yaml(source: str, names: AccountNames) -> str:
    """Write names as a file that `relay.config.account_names` reads. The same names give the same text."""
    head = (
        f"# The names of the account {source}, written by `relay names {source}`: run it again when they change.\n"
        "# `status: …`, `pipeline: …` and `responsible: …` in a route's where, and `relay check`, know them.\n"
    )
    return head + "\n".join(_lines(names)) + "\n"


def _lines(names: AccountNames) -> Iterator[str]:
    yield "pipelines:" + ("" if names.pipelines else " {}")
    for id, pipeline in sorted(names.pipelines.items()):
        yield f"  {_quoted(id)}:"
        yield f"    name: {_quoted(pipeline.name)}"
        yield from _mapping("statuses", pipeline.statuses, "    ")
    yield from _mapping("users", names.users, "")
    yield "fields:" + ("" if names.fields else " {}")
    for entity, fields in names.fields.items():
        told = {id: field.model_dump(exclude_defaults=True) for id, field in fields.items()}
        yield from _mapping(entity, told, "  ")


def _mapping(name: str, values: Mapping[str, object], indent: str) -> Iterator[str]:
    yield f"{indent}{name}:" + ("" if values else " {}")
    for id, value in sorted(values.items()):
        yield f"{indent}  {_quoted(id)}: {_quoted(value)}"


def _quoted(value: object) -> str:
    # JSON is YAML, but for characters that YAML does not read as they are.
    return _UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
