"""What really happened: by the log of the receivers, and the relay's own story of what arrived more than once."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.processes.supervisor import Processes
from relay.store.connect import connect
from relay.store.store import Store
from tests.e2e.harness import open_reader, sandbox_requests
from tests.integration.invariants import broken_invariants


@dataclass
class ReceivedLeads:
    """What reached the receivers of some leads."""

    requests: Counter[int] = field(default_factory=Counter)
    effects: Counter[int] = field(default_factory=Counter)  # what they did; repetitions under one key do nothing
    last_at: int = 0  # epoch milliseconds


def read_received(processes: Processes, leads: Collection[int]) -> ReceivedLeads:
    """Read the receivers' log: what of it was done, and is about these leads."""
    found, wanted = ReceivedLeads(), set(leads)
    for request in sandbox_requests(processes):
        lead = _lead_of(request)
        if lead not in wanted or not (request["stored"] or request["repeat"]):
            continue
        found.requests[lead] += 1
        found.effects[lead] += request["stored"] and not request["repeat"]
        if found.requests[lead] == 1:
            found.last_at = max(found.last_at, request["at"])
    return found


def _lead_of(request: Mapping[str, Any]) -> int:
    try:
        return int(json.loads(request["body"])["lead"])
    except (ValueError, LookupError, TypeError):
        return -1


def unexplained(processes: Processes, leads: Collection[int]) -> set[int]:
    """Return the leads, of those that arrived more than once, of which no attempt was cut."""

    async def find() -> set[int]:
        found = set()
        with open_reader(processes) as reader:
            for lead in leads:
                events = await reader.events_of("acme", "lead", str(lead))
                (receipt,) = await reader.receipts([events[0].partition(".")[0]])
                (delivery,) = await reader.deliveries(list(receipt.deliveries))
                if not delivery.deaths and len(await reader.story(delivery.id)) < 2:
                    found.add(lead)
            await reader.client.aclose()
        return found

    return asyncio.run(find())


def broken(processes: Processes) -> list[str]:
    """Return what does not hold of the store's records and sets."""

    async def read() -> list[str]:
        client = connect(processes.environ["REDIS_URL"], answer_seconds=30)
        try:
            return await broken_invariants(Store(client))
        finally:
            await client.aclose()

    return asyncio.run(read())
