"""Who stands behind leads, asked once in a while for all deliveries and all workers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.lookups import fetch_people
from relay.amocrm.people import People
from relay.model import Record
from relay.store.shared_state import SharedState

KEPT_MS = 60_000  # a lead's hooks come together; what is older is asked for anew


class _Known(Record):
    what: Sequence[str]  # that was asked for
    people: Mapping[str, Any] | None  # by the fields of People; None: there is no such lead


class LookupResult(Record):
    """What is known of leads, by id, and how many of them the account was asked about."""

    people: dict[str, People]
    asked: int


async def look_up_people(
    client: AccountClient, shared: SharedState, leads: Collection[str], what: Collection[str]
) -> LookupResult:
    """Look leads up, those of the last minute in the store. Raises as the client does."""
    known = await _known(shared, client.source, leads, what)
    missing = [lead for lead in leads if lead not in known]
    fresh = await fetch_people(client, missing, what) if missing else {}
    await _keep(shared, client.source, {lead: fresh.get(lead) for lead in missing}, what)
    kept = {lead: People(**one.people) for lead, one in known.items() if one.people is not None}
    return LookupResult(people=kept | fresh, asked=len(missing))


async def _keep(shared: SharedState, source: str, found: Mapping[str, People | None], what: Collection[str]) -> None:
    known = {
        lead: _Known(what=sorted(what), people=None if people is None else msgspec.structs.asdict(people))
        for lead, people in found.items()
    }
    packed = {_key(source, lead): msgspec.msgpack.encode(one) for lead, one in known.items()}
    await shared.put_all(packed, KEPT_MS)


async def _known(shared: SharedState, source: str, leads: Collection[str], what: Collection[str]) -> dict[str, _Known]:
    keys = {_key(source, lead): lead for lead in leads}
    found = await shared.get_all(list(keys))
    known = {keys[key]: _DECODER.decode(value) for key, value in found.items()}
    return {lead: one for lead, one in known.items() if set(what) <= set(one.what)}


def _key(source: str, lead: str) -> str:
    return f"account:{source}:lead:{lead}"


_DECODER = msgspec.msgpack.Decoder(_Known)
