"""Catch up: changes that the account remembers and no hook reported become receipts, as if their hooks had arrived."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from relay.accounts.answers import JsonObject
from relay.accounts.caught_up import progress_key
from relay.accounts.changes import AccountChange, changes_from_events, event_from_change, event_names
from relay.accounts.client import AccountClient, Params
from relay.accounts.hook_shape import API_NAMES
from relay.accounts.lookups import fetch_entities
from relay.accounts.matching import ReceivedEvent, find_missing, received_event
from relay.accounts.needed_events import needed_events
from relay.amocrm.change_time import carries_change_time
from relay.amocrm.events import decode_receipt, encode_event
from relay.config.config import Config, Source
from relay.errors import ConfigError, Malformed, NotOwned, RelayError, StoreUnavailable
from relay.model import Receipt, Record
from relay.store.body import digest
from relay.store.health import read_memory_use
from relay.store.kept_ages import kept_ages
from relay.store.reader import Reader
from relay.store.readers import Readers
from relay.store.records import Hook
from relay.store.shared_state import SharedState
from relay.store.store import Store

MIN_AGE_MS: Final = 120_000  # the hook of a younger change may still arrive
USER_AGENT: Final = "amo-relay catch-up"
_MAX_UNROUTED: Final = 1000
_PROGRESS_TTL_MS: Final = 24 * 3600 * 1000
_PAGE_SIZE: Final = 100


class Progress(Record):
    """The progress of a catch-up. Times are epoch milliseconds; `page` is the next page of the account's events."""

    since: int
    until: int
    page: int = 1
    done: bool = False
    received: int = msgspec.field(default=0, name="told")  # changes that hooks reported; "told" in the JSON
    recovered: int = 0  # changes that were missed; without writing, that could be recovered
    gone: int = 0  # changes that were missed, of entities that do not exist any more


class MissedPage(Record):
    """What a page of the account's events says: what no hook reported, and the progress behind the page."""

    looked: int  # changes that somebody needs
    hooks: Sequence[Hook]  # of what was missed, to be stored
    gone: Sequence[str]  # the ids of receipts that cannot be made: their entities do not exist any more
    after: Progress


class CatchUp:
    """Catches up one source. Every method raises AccountRefused, AccountUnavailable, StoreUnavailable.

    `used`: ids of events that are known to have reported changes of earlier pages; they report no other.
    `reader`: of all shards, because what came before a source was moved is where it was.
    """

    def __init__(
        self,
        source: Source,
        config: Config,
        client: AccountClient,
        store: Store,
        used: Iterable[str] = (),
        reader: Reader | None = None,
    ) -> None:
        self._source = source
        self._config = config
        self._client = client
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._all = reader or self._reader
        self._shared = SharedState(store.client, store.namespace)
        link = source.api.url if source.api else ""
        self._account = msgspec.structs.replace(source.account, link=link)
        self._key = progress_key(source.name)
        self.used = set(used)
        self.bell_set = False  # a receipt was stored, and the bell of the inbox must be published

    async def start_or_resume(self, since: int, until: int | None, now: int) -> Progress:
        """Return the progress to go on from: of the same catch-up where it was interrupted, or of a new one.

        Raises ConfigError where the time is longer ago than receipts are kept.
        """
        check_known(self._source.name, since, self._config, now)
        stored = await self._shared.get(self._key)
        before = None if stored is None else _PROGRESS.decode(stored)
        if before is not None and not before.done and before.since == since and until in (None, before.until):
            return before
        return Progress(since=since, until=now - MIN_AGE_MS if until is None else until)

    async def process_page(self, progress: Progress, *, write: bool) -> Progress:
        """Process one page of the account's events. Repeating it changes nothing; without `write` it only counts.

        Raises RelayError where too many receipts are not routed yet: what they report is not known.
        """
        page = await self.read_page(progress)
        if write:
            await self.recover(page.hooks)
            await self._shared.put(self._key, msgspec.json.encode(page.after), _PROGRESS_TTL_MS)
        return page.after

    async def read_page(self, progress: Progress) -> MissedPage:
        """Find what no hook reported of one page of the account's events, and write nothing. Raises RelayError too."""
        items = await self._fetch_page(progress)
        subscriptions = await self._store.subscriptions.list(self._source.name)
        names = needed_events(self._config, self._source.name, subscriptions)
        needed = [change for change in changes_from_events(items) if event_names(change) & names]
        missed = await self._find_missed(needed)
        made = await self._make_hooks(missed)
        hooks = [hook for hook in made if hook is not None]
        gone = [one.receipt_id(self._source.name) for one, hook in zip(missed, made, strict=True) if hook is None]
        after = msgspec.structs.replace(
            progress,
            page=progress.page + 1,
            done=len(items) < _PAGE_SIZE,
            received=progress.received + len(needed) - len(missed),
            recovered=progress.recovered + len(hooks),
            gone=progress.gone + len(gone),
        )
        return MissedPage(looked=len(needed), hooks=hooks, gone=gone, after=after)

    async def _fetch_page(self, progress: Progress) -> Sequence[JsonObject]:
        params: Params = {
            "filter[created_at][from]": progress.since // 1000,
            "filter[created_at][to]": progress.until // 1000,
            "filter[entity][]": list(API_NAMES),
        }
        pages = self._client.pages("/api/v4/events", "events", params, first=progress.page, limit=_PAGE_SIZE)
        async for items in pages:
            return items
        return []

    async def _find_missed(self, changes: Sequence[AccountChange]) -> list[AccountChange]:
        """Return the changes that no hook reported, and that no earlier catch-up has recovered."""
        missed = find_missing(changes, await self._received_events(changes), self.used)
        ids = [change.receipt_id(self._source.name) for change in missed]
        recovered = {receipt.id for one in self._readers() for receipt in await one.receipts(ids)} if ids else set()
        return [change for change, id in zip(missed, ids, strict=True) if id not in recovered]

    async def _received_events(self, changes: Sequence[AccountChange]) -> list[ReceivedEvent]:
        # What waits comes first: what is routed meanwhile is then found by its entity as well, and none is overlooked.
        # A source is moved only where nothing of it waits, so what does is in the shard that has it now.
        unrouted = await self._reader.unrouted(_MAX_UNROUTED)
        if len(unrouted) >= _MAX_UNROUTED:
            raise RelayError("too many receipts wait to be routed: catch up again when they are")
        receipts = list((await self._reader.raw_receipts(sorted(set(unrouted)))).values())
        pairs = sorted({(change.entity, change.entity_id) for change in changes})
        for one in self._readers():
            found = await asyncio.gather(*[one.events_of(self._source.name, *pair) for pair in pairs])
            receipts += (await one.raw_receipts(sorted({id.partition(".")[0] for ids in found for id in ids}))).values()
        own = {receipt.id: receipt for receipt in receipts if receipt.source == self._source.name}
        return await asyncio.to_thread(_decode_events, [own[id] for id in sorted(own)])

    def _readers(self) -> Sequence[Reader]:
        """Return a reader of each shard. All are asked: without one that is away, what it has would count as missed."""
        return list(self._all.each.values()) if isinstance(self._all, Readers) else [self._all]

    async def recover(self, hooks: Sequence[Hook]) -> None:
        """Store receipts of what was missed; those that are there already stay as they are."""
        if not hooks:
            return
        if (await read_memory_use(self._store.client)).full:
            raise StoreUnavailable("the store is nearly full")
        accepted = await self._store.accept(hooks)
        if any(not id for id, _ in accepted.answers):
            raise NotOwned(f"{self._source.name} has moved to another shard: catch up there")
        self.bell_set = self.bell_set or accepted.bell_set

    async def _make_hooks(self, missed: Sequence[AccountChange]) -> list[Hook | None]:
        found: dict[str, Mapping[str, JsonObject]] = {}
        for entity, entities in API_NAMES.items():
            ids = {change.entity_id for change in missed if change.entity == entity and change.action != "delete"}
            found[entity] = await fetch_entities(self._client, entities, ids) if ids else {}
        return [self._make_hook(change, found[change.entity].get(change.entity_id)) for change in missed]

    def _make_hook(self, change: AccountChange, entity: JsonObject | None) -> Hook | None:
        event = event_from_change(change, self._source.name, self._account, entity)
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


def check_known(source: str, since: int, config: Config, now: int) -> None:
    """Raise ConfigError where a time is longer ago than a source's receipts are kept. Both are epoch milliseconds."""
    if since < now - kept_ages(config.retention).shortest(source):
        raise ConfigError(
            "that is longer ago than retention.finished, or than a shorter age of its hooks: what has arrived since "
            "then is not known any more, and "
            "would be delivered again; give a later --since"
        )


def _decode_events(receipts: Sequence[Receipt]) -> list[ReceivedEvent]:
    events: list[ReceivedEvent] = []
    for receipt in receipts:
        try:
            events += [received_event(event) for event in decode_receipt(receipt)[1]]
        except Malformed:
            continue  # it reported nothing
    return events


_PROGRESS = msgspec.json.Decoder(Progress)
