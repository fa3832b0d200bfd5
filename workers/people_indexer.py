"""Write the index of people in batches, apart from all that takes hooks and delivers."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relay.model import Receipt
from relay.operations.people_events import events_of_receipt, hashes_of_event
from relay.operations.people_keys import PeopleKey
from relay.secret import SecretStr
from relay.store.people import PeopleIndex, PersonRow, Reach
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.store import Store
from relay.store.stored import StoredDelivery

INDEX_PEOPLE: Final = "people"  # kind of the job, as it is stored
BATCH: Final = 100  # receipts
SETTLED_MS: Final = 2_000  # by then most are routed, so that their contents are there
EVERY_MS: Final = 5_000
WITHOUT_KEY_MS: Final = 60_000


class PeopleIndexer:
    """The function of a job. Without RELAY_SECRET_KEY there is no index."""

    def __init__(self, store: Store, secret_key: SecretStr | None) -> None:
        self._reader = Reader(store.client, store.namespace)
        self._index = PeopleIndex(store.client, store.namespace)
        self._key = None if secret_key is None else PeopleKey(secret_key)

    async def index(self, _: Job) -> int:
        """Index a batch; it is due again at once where there is more."""
        if self._key is None:
            return WITHOUT_KEY_MS
        return 0 if await self.index_batch(self._key, await self._reader.now() - SETTLED_MS) else EVERY_MS

    async def index_batch(self, key: PeopleKey, until: int) -> bool:
        """Index some of what arrived until a time. Returns whether there is more."""
        reach = await self._index.reach()
        if reach.key != key.name:  # under another key it begins anew: what that one wrote goes with its receipts
            reach = Reach(key=key.name)
        arrived, looked_up = await self._index.arrivals(reach, until, BATCH), await self._index.looked_up(BATCH)
        if not arrived and not looked_up:
            return False
        ids = [id for id, _ in arrived]
        receipts = await self._reader.raw_receipts(await self._reader.harmless(ids))
        deliveries = await self._deliveries(ids, looked_up)
        contents = await self._reader.contents(deliveries)
        rows = await asyncio.to_thread(lambda: list(_rows(receipts, deliveries, contents, key)))
        if arrived:
            reach = Reach(key=key.name, score=arrived[-1][1], member=arrived[-1][0])
        await self._index.write(rows, reach, len(looked_up))
        return BATCH in (len(arrived), len(looked_up))

    async def _deliveries(self, receipts: Sequence[str], looked_up: Sequence[str]) -> list[StoredDelivery]:
        found = await self._reader.receipts(receipts)
        ids = [id for receipt in found for id in receipt.deliveries]
        return await self._reader.deliveries(list(dict.fromkeys([*ids, *looked_up])))


def _rows(
    receipts: Mapping[str, Receipt], deliveries: Sequence[StoredDelivery], contents: Mapping[str, bytes], key: PeopleKey
) -> Iterator[PersonRow]:
    """Yield a row for each event that speaks of somebody, in its hook or in what is sent because of it."""
    hashes: dict[tuple[str, int], set[str]] = {}
    for receipt in receipts.values():
        for event in events_of_receipt(receipt):
            hashes.setdefault((receipt.id, event.index), set()).update(hashes_of_event(event, key))
    for delivery in deliveries:
        receipt_id, _, index = delivery.event_id.partition(".")
        text = contents.get(delivery.content_id, b"").decode("utf-8", "replace")
        hashes.setdefault((receipt_id, int(index)), set()).update(key.hashes_in(text))
    for (receipt_id, number), found in hashes.items():
        if found:
            yield PersonRow(receipt_id, number, sorted(found))
