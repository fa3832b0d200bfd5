"""Say what an erasure would take out, and start one."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from relay.config.config import Config
from relay.errors import StoreUnavailable
from relay.model import Record
from relay.operations.actions import (
    ActionKind,
    ActionRequest,
    ErasedPerson,
    StartedAction,
    bound_request,
    decode_request,
    has_not_ended,
    start_bound,
)
from relay.operations.erasures import gone_sinks
from relay.operations.passport import Passport, PassportSearch
from relay.operations.people_keys import PeopleKey
from relay.operations.people_query import KnownPerson, PersonQuery
from relay.operations.search import MOST_LISTED, EventFilter, parse_cursor
from relay.secret import SecretStr
from relay.store.acts import Author
from relay.store.reader import Reader
from relay.store.store import Store

RATE = 2_000  # hooks a second at most: one is looked at in half a millisecond


class ErasurePreview(Record):
    """What an erasure would take out. `deliveries`: of how many the person goes, by state; `sinks`: that were sent it.

    `gone`: those of the sinks that are in no configuration any more, so that nobody is asked there.
    Not `complete`: only so many of the newest hooks were looked at in the time there was, or a shard is away.
    """

    person: str
    contacts: Sequence[str]
    events: int
    unreadable: int
    deliveries: Mapping[str, int]
    sinks: Sequence[str]
    gone: Sequence[str]
    looked: int
    total: int
    complete: bool

    @property
    def erases(self) -> bool:
        """Return whether there may be anything to erase."""
        return bool(self.events or self.unreadable) or not self.complete


async def preview_erasure(
    reader: Reader, config: Config, known: KnownPerson, query: PersonQuery, seconds: float
) -> ErasurePreview:
    """Count what speaks of a person, for so long and no longer, and change nothing. Raises StoreUnavailable."""
    search, deadline = PassportSearch(reader, config, known), time.monotonic() + seconds
    pages: list[Passport] = []
    while not pages or (pages[-1].next is not None and time.monotonic() < deadline):
        after = parse_cursor(pages[-1].next or "") if pages else None
        left = max(deadline - time.monotonic(), 0)
        pages.append(await search.read(query, MOST_LISTED, after, thorough=True, seconds=left))
    deliveries = [one for page in pages for event in page.events for one in event.deliveries]
    sinks = sorted({one.sink for one in deliveries})
    return ErasurePreview(
        person=query.described(),
        contacts=known.contacts,
        events=sum(len(page.events) for page in pages),
        unreadable=len({id for page in pages for id in page.unreadable}),
        deliveries=Counter(one.state for one in deliveries),
        sinks=sinks,
        gone=gone_sinks(sinks, config.sinks),
        looked=sum(page.looked for page in pages),
        total=pages[0].total,
        complete=pages[-1].next is None and not reader.away,
    )


async def start_erasure(
    store: Store, reader: Reader, known: KnownPerson, query: PersonQuery, author: Author
) -> StartedAction:
    """Have the workers take a person out of all that has arrived until now. Raises StoreUnavailable.

    None is started where one of the same person has not ended, nor where a shard is away: they know only together what
    else the person's contacts have, so hooks would be left that name them by that.
    """
    now = await reader.now()
    if reader.away:
        away = ", ".join(f"shard {name}" for name in reader.away)
        raise StoreUnavailable(f"{away} is away: an erasure begins when all can say whom it is about")
    if running := await _running_without_a_key(store, known, query):
        return has_not_ended(ActionKind.ERASE, running)
    person = ErasedPerson(
        described=query.described(),
        hashes=sorted(known.person.hashes),
        entities=sorted(known.person.entities),
        key=known.key.name,
    )
    request = ActionRequest(kind=ActionKind.ERASE, filter=EventFilter(), rate=RATE, person=person)
    request = bound_request(request, now)
    (total,) = await reader.count([reader.keys.receipts], None, request.filter.until)
    return await start_bound(store, request, total, author, known.secret)


async def _running_without_a_key(store: Store, known: KnownPerson, query: PersonQuery) -> str:
    """Return the erasure that runs for a person by a key of its own; empty where there is none.

    This one has another key, so the store sees no likeness.
    """
    for one in await store.actions.open_erasures() if known.secret else ():
        request = decode_request(one)
        if not one.secret or request.person is None:
            continue
        key = PeopleKey(SecretStr(one.secret))
        hashes = {key.hash_phone(query.phone)} if query.phone else set[str]()
        hashes |= {key.hash_email(query.email)} if query.email else set()
        if hashes <= set(request.person.hashes) and sorted(known.person.entities) == sorted(request.person.entities):
            return one.id
    return ""
