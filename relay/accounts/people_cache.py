"""Look up the people behind leads once a minute, for all deliveries and all workers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.lookups import fetch_people
from relay.amocrm.people import People
from relay.model import Record
from relay.store.shared_state import SharedState

CACHE_MS = 60_000  # the hooks of one lead arrive together; anything older is fetched again


class _CachedPeople(Record):
    relations: Sequence[str] = msgspec.field(name="what")  # that were fetched
    people: Mapping[str, Any] | None  # the fields of People; None: the lead does not exist


class PeopleLookup(Record):
    """The people behind leads, by the lead's id, and how many leads were fetched from the account."""

    people: dict[str, People]
    fetched: int


async def look_up_people(
    client: AccountClient, shared: SharedState, leads: Collection[str], relations: Collection[str]
) -> PeopleLookup:
    """Return the people behind leads: cached in the last minute, or fetched. Raises as the client does."""
    entries = await _read_cache(shared, client.source, leads, relations)
    missing = [lead for lead in leads if lead not in entries]
    fetched = await fetch_people(client, missing, relations) if missing else {}
    await _write_cache(shared, client.source, {lead: fetched.get(lead) for lead in missing}, relations)
    cached = {lead: People(**entry.people) for lead, entry in entries.items() if entry.people is not None}
    return PeopleLookup(people=cached | fetched, fetched=len(missing))


async def _write_cache(
    shared: SharedState, source: str, found: Mapping[str, People | None], relations: Collection[str]
) -> None:
    entries = {
        lead: _CachedPeople(
            relations=sorted(relations), people=None if people is None else msgspec.structs.asdict(people)
        )
        for lead, people in found.items()
    }
    values = {cache_key(source, lead): msgspec.msgpack.encode(entry) for lead, entry in entries.items()}
    await shared.put_all(values, CACHE_MS)


async def _read_cache(
    shared: SharedState, source: str, leads: Collection[str], relations: Collection[str]
) -> dict[str, _CachedPeople]:
    keys = {cache_key(source, lead): lead for lead in leads}
    found = await shared.get_all(list(keys))
    entries = {keys[key]: _DECODER.decode(value) for key, value in found.items()}
    return {lead: entry for lead, entry in entries.items() if set(relations) <= set(entry.relations)}


def cache_key(source: str, lead: str) -> str:
    """Return the key under which workers share the people of a lead."""
    return f"account:{source}:lead:{lead}"


_DECODER = msgspec.msgpack.Decoder(_CachedPeople)
