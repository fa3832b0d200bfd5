"""What really happened: by the log of the receivers, and the relay's own story of what arrived more than once."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs

from relay.operations.actions import ActionFilter, ActionState, read_actions
from relay.processes.supervisor import Processes
from relay.store.acts import Act, Author
from relay.store.commands import run_command
from relay.store.connect import connect
from relay.store.newest import NewestIndex
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.stored import StoredDelivery
from tests.e2e.harness import sandbox_requests
from tests.integration.invariants import broken_invariants

T = TypeVar("T")
SINK_OF_VENDOR = {"accounting": "books", "smsru": "texts"}
_ATTEMPTS_SHOWN = 6
_ACTIONS_AT_ONCE = 100
_INDEX_COMMANDS = 500


@dataclass
class Received:
    """What reached the receivers, by sink and lead."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    effects: Counter[tuple[str, int]] = field(default_factory=Counter)  # repetitions under one key do nothing
    first_at: dict[tuple[str, int], int] = field(default_factory=dict)  # epoch milliseconds

    @property
    def last_at(self) -> int:
        """When the last one arrived for the first time."""
        return max(self.first_at.values(), default=0)


def read_received(processes: Processes, leads: Collection[int]) -> Received:
    """Read the receivers' log: what of it was done, and is about these leads."""
    found, wanted = Received(), set(leads)
    for request in sandbox_requests(processes):
        sink = SINK_OF_VENDOR.get(request["vendor"], "")
        lead = _lead_of(request, sink)
        # The gateway takes a text that it had before for a mistake. For us it is one that was sent twice.
        again = request["repeat"] or (sink == "texts" and not request["fault"])
        if lead not in wanted or not (request["stored"] or again):
            continue
        found.requests[sink, lead] += 1
        found.effects[sink, lead] += not request["repeat"]
        found.first_at.setdefault((sink, lead), request["at"])
    return found


def _lead_of(request: Mapping[str, Any], sink: str) -> int:
    try:
        if sink == "texts":
            return int(parse_qs(request["body"])["msg"][0].removeprefix("Deal "))
        return int(json.loads(request["body"])["lead"])
    except (ValueError, LookupError, TypeError):
        return -1


def ask_store(processes: Processes, question: Callable[[Store], Awaitable[T]]) -> T:
    """Ask the store of a relay something."""

    async def ask() -> T:
        client = connect(processes.environ["REDIS_URL"], answer_seconds=30)
        try:
            return await question(Store(client))
        finally:
            await client.aclose()

    return asyncio.run(ask())


def unexplained(processes: Processes, leads: Collection[int], sink: str = "books") -> set[int]:
    """Return the leads, of those that arrived more than once, of which no attempt was cut."""

    async def find(store: Store) -> set[int]:
        reader, found = Reader(store.client), set()
        for lead in leads:
            delivery = await _delivery_of(reader, lead, sink)
            if delivery is None or not (delivery.deaths or len(await reader.story(delivery.id)) > 1):
                found.add(lead)
        return found

    return ask_store(processes, find)


def deliveries_of(processes: Processes, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], StoredDelivery]:
    """Return the deliveries of these sinks and leads."""

    async def find(store: Store) -> dict[tuple[str, int], StoredDelivery]:
        reader = Reader(store.client)
        found = {(sink, lead): await _delivery_of(reader, lead, sink) for sink, lead in wanted}
        return {key: delivery for key, delivery in found.items() if delivery is not None}

    return ask_store(processes, find)


async def _delivery_of(reader: Reader, lead: int, sink: str) -> StoredDelivery | None:
    """Return the delivery of a lead. More than one receipt of it: amoCRM's repetition was not found out."""
    events = await reader.events_of("acme", "lead", str(lead))
    receipts = await reader.receipts([event.partition(".")[0] for event in events])
    deliveries = await reader.deliveries([id for receipt in receipts for id in receipt.deliveries])
    return next((delivery for delivery in deliveries if delivery.sink == sink), None)


def describe(processes: Processes, sink: str, lead: int) -> str:
    """Tell what the relay knows of a lead's delivery, for whoever looks into a bad run."""

    async def find(store: Store) -> str:
        reader = Reader(store.client)
        events = await reader.events_of("acme", "lead", str(lead))
        delivery = await _delivery_of(reader, lead, sink)
        if delivery is None:
            return f"{sink} {lead}: events {events}, no delivery"
        story = await reader.story(delivery.id)
        attempts = [f"{one.outcome}→{one.decision}: {one.reason}" for one in story[-_ATTEMPTS_SHOWN:]]
        known = f"{delivery.id} {delivery.state} ({delivery.reason}), deaths {delivery.deaths}, due {delivery.due_at}"
        return f"{sink} {lead}: {known}, in flight {delivery.in_flight}; {len(events)} events; {attempts}"

    return ask_store(processes, find)


def unfinished(processes: Processes, sinks: Iterable[str]) -> int:
    """Return how many receipts, deliveries and bulk actions are not at their end."""

    async def count(store: Store) -> int:
        waiting = sum(await Reader(store.client).inbox())
        waiting += len((await read_actions(store, only=ActionFilter(state=ActionState.RUNNING))).items)
        for sink in sinks:
            waiting += await run_command(store.client.zcard(store.keys.pending(sink)))
        return waiting

    return ask_store(processes, count)


def broken(processes: Processes) -> list[str]:
    """Return what does not hold of the store's records and sets."""
    return ask_store(processes, broken_invariants)


def retire(processes: Processes, sinks: Iterable[str]) -> tuple[list[str], int]:
    """End what is held as a person would, and let retention remove everything.

    Returns the records that are left all the same, and the bytes of all that does not go by itself. The audit is not
    counted: it has a length of its own, and people act more often where the machine is slow.
    """

    async def remove(store: Store) -> tuple[list[str], int]:
        for sink in sinks:
            for id in await run_command(store.client.zrange(store.keys.held(sink), 0, -1)):
                await store.acts.act_on_delivery(id.decode(), Act.CONFIRM, Author(by="chaos"))
        while (await store.retention.apply(0, 0, 0)).more or await store.actions.retire(0, 0, _ACTIONS_AT_ONCE):
            pass
        await _sweep_index(store)
        kept = await _keys_that_stay(store)
        records = tuple(f"{store.keys.prefix}{kind}:" for kind in "rdcab")
        return [key for key in kept if key.startswith(records)], sum(kept.values()) - kept.get(store.keys.audit, 0)

    return ask_store(processes, remove)


async def _sweep_index(store: Store) -> None:
    """Do at once what a job does little by little: remove from the index what retention has removed."""
    index = NewestIndex(store.client, store.namespace)
    while await run_command(store.client.exists(store.keys.newest_values)):
        await index.index(store.clock.ms(), _INDEX_COMMANDS)


async def _keys_that_stay(store: Store) -> dict[str, int]:
    """Return the keys that have no time to live, and how many bytes each takes."""
    keys = [key async for key in store.client.scan_iter(f"{store.keys.prefix}*", count=1000)]
    async with store.client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.pttl(key)
            pipe.memory_usage(key, samples=0)
        answers = await run_command(pipe.execute())
    return {key.decode(): n or 0 for key, ttl, n in zip(keys, answers[::2], answers[1::2], strict=True) if ttl == -1}
