"""Catch up: what the account remembers and no hook told becomes a receipt, as if its hook had arrived."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from relay.accounts.answers import JsonObject
from relay.accounts.client import AccountClient, Params
from relay.accounts.history import ENTITIES, AccountChange, changes_from_events, event_from_change, event_names
from relay.accounts.lookups import fetch_entities
from relay.accounts.matching import ReceivedEvent, find_missing, received_event
from relay.accounts.needed_events import needed_events
from relay.amocrm.events import carries_change_time, decode_receipt, encode_event
from relay.config.config import Config, Source
from relay.errors import ConfigError, Malformed, RelayError, StoreUnavailable
from relay.model import Receipt, Record
from relay.store.body import digest
from relay.store.health import read_memory_use
from relay.store.reader import Reader
from relay.store.records import Hook
from relay.store.shared_state import SharedState
from relay.store.store import Store

MIN_AGE_MS: Final = 120_000  # hooks of what is younger may be on their way
USER_AGENT: Final = "amo-relay catch-up"
_UNROUTED: Final = 1000
_KEPT_MS: Final = 24 * 3600 * 1000
_PAGE: Final = 100


class Progress(Record):
    """How far a catch-up is. Times are epoch milliseconds; `page` is the next one of the account's events."""

    since: int
    until: int
    page: int = 1
    done: bool = False
    told: int = 0  # facts that somebody wants, and hooks have told
    recovered: int = 0  # or, without writing, to be recovered
    gone: int = 0  # missed, and their records are not there any more


class CatchUp:
    """Catches up one source. Every method raises AccountRefused, AccountUnavailable, StoreUnavailable, ConfigError."""

    def __init__(self, source: Source, config: Config, client: AccountClient, store: Store) -> None:
        self._source = source
        self._config = config
        self._client = client
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        link = source.api.url if source.api else ""
        self._account = msgspec.structs.replace(source.account, link=link)
        self._key = f"catch-up:{source.name}"
        self._used: set[str] = set()
        self.bell_set = False  # a receipt was stored, and its bell wants publishing

    async def start_or_resume(self, since: int, until: int | None, now: int) -> Progress:
        """Begin, or go on where the same catch-up was cut off."""
        if since < now - self._config.retention.finished:
            raise ConfigError(
                "that is longer ago than retention.finished: what has arrived since then is not known any more, and "
                "would be delivered again; give a later --since"
            )
        kept = await self._shared.get(self._key)
        before = None if kept is None else _PROGRESS.decode(kept)
        if before is not None and not before.done and before.since == since and until in (None, before.until):
            return before
        return Progress(since=since, until=now - MIN_AGE_MS if until is None else until)

    async def process_page(self, progress: Progress, *, write: bool) -> Progress:
        """Do one page of the account's events; a repeated one changes nothing. Without `write` only count."""
        items = await self._items(progress)
        subscriptions = await self._store.subscriptions.list(self._source.name)
        names = needed_events(self._config, self._source.name, subscriptions)
        wanted = [fact for fact in changes_from_events(items) if event_names(fact) & names]
        missed = await self._missed(wanted)
        recovered = await self._recover(missed, write=write)
        after = msgspec.structs.replace(
            progress,
            page=progress.page + 1,
            done=len(items) < _PAGE,
            told=progress.told + len(wanted) - len(missed),
            recovered=progress.recovered + recovered,
            gone=progress.gone + len(missed) - recovered,
        )
        if write:
            await self._shared.put(self._key, msgspec.json.encode(after), _KEPT_MS)
        return after

    async def _items(self, progress: Progress) -> Sequence[JsonObject]:
        params: Params = {
            "filter[created_at][from]": progress.since // 1000,
            "filter[created_at][to]": progress.until // 1000,
            "filter[entity][]": list(ENTITIES),
        }
        pages = self._client.pages("/api/v4/events", "events", params, first=progress.page, limit=_PAGE)
        async for items in pages:
            return items
        return []

    async def _missed(self, wanted: Sequence[AccountChange]) -> list[AccountChange]:
        """Leave out what was received, and what an earlier catch-up has made a receipt of."""
        known = await self._received(wanted)
        missed = find_missing(wanted, known, self._used)
        ids = [fact.receipt_id(self._source.name) for fact in missed]
        there = {receipt.id for receipt in await self._reader.receipts(ids)} if ids else set()
        return [fact for fact, id in zip(missed, ids, strict=True) if id not in there]

    async def _received(self, wanted: Sequence[AccountChange]) -> list[ReceivedEvent]:
        pairs = sorted({(fact.entity, fact.entity_id) for fact in wanted})
        found = await asyncio.gather(*[self._reader.events_of(self._source.name, *pair) for pair in pairs])
        routed = {id.partition(".")[0] for ids in found for id in ids}
        unrouted = await self._reader.unrouted(_UNROUTED)
        if len(unrouted) >= _UNROUTED:
            raise RelayError("receipts wait to be routed: catch up when what has arrived is known")
        receipts = await self._reader.raw_receipts(sorted(routed | set(unrouted)))
        return await asyncio.to_thread(_told_by, [one for one in receipts.values() if one.source == self._source.name])

    async def _recover(self, missed: Sequence[AccountChange], *, write: bool) -> int:
        """Make receipts of what was missed. Returns of how many that was possible."""
        hooks = [hook for hook in await self._hooks(missed) if hook is not None]
        if write and hooks:
            if (await read_memory_use(self._store.client)).full:
                raise StoreUnavailable("the store is nearly full")
            accepted = await self._store.accept(hooks)
            self.bell_set = self.bell_set or accepted.bell_set
        return len(hooks)

    async def _hooks(self, missed: Sequence[AccountChange]) -> list[Hook | None]:
        records: dict[str, Mapping[str, JsonObject]] = {}
        for entity, entities in ENTITIES.items():
            ids = {fact.entity_id for fact in missed if fact.entity == entity and fact.action != "delete"}
            records[entity] = await fetch_entities(self._client, entities, ids) if ids else {}
        return [self._hook(fact, records[fact.entity].get(fact.entity_id)) for fact in missed]

    def _hook(self, fact: AccountChange, record: JsonObject | None) -> Hook | None:
        event = event_from_change(fact, self._source.name, self._account, record)
        if event is None:
            return None
        body = encode_event(event)
        return Hook(
            id=event.receipt_id,
            source=self._source.name,
            digest=digest(body),
            timed=carries_change_time(body),
            request_id="",
            content_type="application/x-www-form-urlencoded",
            user_agent=USER_AGENT,
            body=body,
            recovered=True,
        )


def _told_by(receipts: Sequence[Receipt]) -> list[ReceivedEvent]:
    told = []
    for receipt in receipts:
        try:
            told += [received_event(event) for event in decode_receipt(receipt)[1]]
        except Malformed:
            continue  # it told nothing
    return told


_PROGRESS = msgspec.json.Decoder(Progress)
