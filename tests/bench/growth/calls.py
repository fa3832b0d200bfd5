"""How long a call keeps the store, where very much waits: it does nothing else meanwhile.

Each kind of call is made some times, as large as the relay makes it. The time is by the store's slow log, with all that
the machine did meanwhile in it; the commands of a call are counted, and are the same on any machine.
"""

import itertools
import statistics
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from relay.config.load import load_file
from relay.errors import ConfigError
from relay.model import Delivery, Outcome, Receipt
from relay.operations.action_work import ActionWork
from relay.operations.actions import ActionKind, ActionRequest, start_action
from relay.operations.people_keys import PeopleKey
from relay.operations.problems import read_problems
from relay.operations.search import EventFilter, find_deliveries, find_events
from relay.secret import SecretStr
from relay.sinks.registry import sink_types
from relay.store.acts import Author
from relay.store.connect import connect
from relay.store.parts import CALL_ITEMS
from relay.store.reader import Reader
from relay.store.records import Hook, Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.bench.million import NAMESPACE, OF_A_RECEIPT, Bench
from tests.bench.stack import CONFIG, lead_body, lead_hook, relay_store, run
from tests.integration.store.shapes import new, routed, settlement
from workers.newest_indexer import NewestIndexer
from workers.packer import BATCH as PACKED_AT_ONCE
from workers.people_indexer import PeopleIndexer
from workers.router import GROUP_ITEMS

ROUNDS: Final = 10
ROUTED: Final = GROUP_ITEMS // 2  # receipts, with as many deliveries
NOTED_MICROSECONDS: Final = 30  # what the commands of a script take is less, and need not be noted beside it
LARGE: Final = 500  # deliveries of one hook
LEASE_MS: Final = 600_000
WORKER: Final = "w1"
OWN: Final = (b"INFO", b"SLOWLOG", b"CONFIG", b"EVAL ")  # of the bench; a script is sent whole the first time only
SINK: Final = "receiver"
Step = Callable[[], Awaitable[object]]


def measure_calls(logs: Path, waiting: int) -> dict[str, Any]:
    """Return what each kind of call took where so many deliveries wait."""
    with relay_store(logs / "calls", "0,1") as server:
        bench = Bench(server.url)
        run(bench.fill(waiting))
        bench.client.config_set("slowlog-log-slower-than", NOTED_MICROSECONDS)
        return {"waiting": waiting, "rows": run(_measure(bench))}


async def _measure(bench: Bench) -> list[dict[str, Any]]:
    life = Life(bench)
    rows = [await _noted(bench, what, step) async for what, step in _steps(life)]
    await life.store.client.aclose()
    return rows


async def _noted(bench: Bench, what: str, step: Step) -> dict[str, Any]:
    """Make a call some times. Return the most commands that the scripts of one ran each, and how long they took.

    `cpu_ms`: of the store's thread for each script, with what is read and written for it.
    """
    await step()  # the scripts are known from now on
    bench.client.slowlog_reset()
    most, used, calls = 0.0, 0.0, 0
    for _ in range(ROUNDS):
        commands, scripts, processor = bench.count_commands(), bench.count_scripts(), bench.processor_ms()
        await step()
        used += bench.processor_ms() - processor
        commands, scripts = bench.count_commands() - commands, bench.count_scripts() - scripts
        most, calls = max(most, commands / max(scripts, 1)), calls + scripts
    noted = [one for one in bench.client.slowlog_get(1_000_000) if not one["command"].startswith(OWN)]
    scripts_noted = [one for one in noted if one["command"].startswith(b"EVALSHA")]
    took = [one["duration"] / 1000 for one in scripts_noted or noted] or [0]
    return {
        "what": what,
        "calls": calls,
        "commands": round(most),
        "cpu_ms": round(used / max(calls, 1), 2),
        "least_ms": round(min(took), 2),
        "median_ms": round(statistics.median(took), 2),
        "longest_ms": round(max(took), 2),
    }


class Life:
    """What a hook goes through, a hundred at a time, beside all that waits."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self._numbers = bench, itertools.count(1)
        self.store = Store(connect(bench.url, answer_seconds=60), NAMESPACE)
        self.reader = Reader(self.store.client, NAMESPACE)
        self.config = load_file(CONFIG, environ={}, sink_types=sink_types())
        self.routed: list[tuple[str, Sequence[Receipt]]] = []
        self.held: list[Sequence[Delivery]] = []

    def token(self) -> str:
        return f"{WORKER}:{next(self._numbers)}"

    async def accept(self) -> None:
        await self.store.accept([_hook(next(self._numbers)) for _ in range(CALL_ITEMS)])

    async def claim_receipts(self) -> None:
        token = self.token()
        receipts = (await self.store.claim_receipts(token, CALL_ITEMS, LEASE_MS)).items
        self.routed += [(token, receipts[at : at + ROUTED]) for at in range(0, len(receipts), ROUTED)]

    async def route(self) -> None:
        token, receipts = self.routed.pop(0)
        await self.store.save_routed(token, [routed(one, self._delivery(one.id)) for one in receipts])

    async def route_large(self) -> None:
        """Route a hook of very many deliveries, which takes several calls."""
        await self.store.accept([_hook(next(self._numbers))])
        token = self.token()
        (receipt,) = (await self.store.claim_receipts(token, 1, LEASE_MS)).items
        await self.store.save_routed(
            token, [routed(receipt, *[self._delivery(receipt.id, "far") for _ in range(LARGE)])]
        )

    def _delivery(self, receipt: str, sink: str = SINK) -> Any:
        return new(str(uuid.uuid4()), receipt, route="all", sink=sink, content=self.bench.content)

    async def claim(self) -> None:
        claim = await self.store.claim_deliveries(self._request())
        assert len(claim.items) == CALL_ITEMS
        self.held.append(claim.items)

    def _request(self) -> Any:
        return sink_claim_request(SINK, self.token(), CALL_ITEMS, LEASE_MS, 1 << 20, [])

    async def mark(self) -> None:
        assert all(await self.store.mark_sending(self.held[0]))

    async def settle_and_claim(self) -> None:
        _, claim = await self.store.settle_and_claim(SINK, self._settled(Outcome.DELIVERED), {}, self._request())
        self.held.append(claim.items)

    async def settle(self, outcome: Outcome) -> None:
        await self.store.settle(SINK, self._settled(outcome), {})

    def _settled(self, outcome: Outcome) -> list[Settlement]:
        return [settlement(one, outcome) for one in self.held.pop(0)]

    async def end_leases(self) -> None:
        await self.store.claim_deliveries(self._request())
        await self.store.end_leases(WORKER, sending=True)

    async def claim_and_settle(self) -> None:
        await self.claim()
        await self.settle(Outcome.DELIVERED)


async def _steps(life: Life) -> AsyncIterator[tuple[str, Step]]:
    for what, step in (*_way_of_a_hook(life), *_reading(life)):
        yield what, step
    for kind in (ActionKind.RETRY, ActionKind.CANCEL):
        yield f"a bulk action: {kind} of 100", await _bulk(life, kind, "pending")
    yield "a bulk action: resend of 100", await _bulk(life, ActionKind.RESEND, "dead")
    for what, step in _keeping(life):
        yield what, step


def _way_of_a_hook(life: Life) -> Iterator[tuple[str, Step]]:
    yield "100 hooks are accepted", life.accept
    yield "100 receipts are claimed", life.claim_receipts
    yield f"{ROUTED} receipts are routed, to a delivery each", life.route
    yield f"a hook of {LARGE} deliveries is routed", life.route_large
    yield "100 deliveries are claimed", life.claim
    yield "100 are marked as being sent", life.mark
    yield "100 are settled, 100 claimed", life.settle_and_claim
    yield "100 are settled as dead", lambda: life.settle(Outcome.REJECTED)
    yield "a worker looks", lambda: life.store.look(WORKER)


def _reading(life: Life) -> Iterator[tuple[str, Step]]:
    nowhere = EventFilter(sink=SINK, state="pending", reason="such a reason has none")
    text = EventFilter(text="no hook has this in it")
    yield "a list is looked through", lambda: find_deliveries(life.reader, nowhere)
    yield "hooks are looked through for a text", lambda: find_events(life.reader, text)
    yield "problems are looked for", lambda: read_problems(life.reader, life.config)


async def _bulk(life: Life, kind: ActionKind, state: str) -> Step:
    request = ActionRequest(kind=kind, filter=EventFilter(sink=SINK, state=state))
    begun = await start_action(life.store, life.reader, request, Author(by="bench"))
    work = ActionWork(life.store, life.config, _no_account)

    async def step() -> None:
        (action,) = await life.store.actions.read([begun.id])
        await work.step(action)

    return step


def _keeping(life: Life) -> Iterator[tuple[str, Step]]:
    """What jobs do beside the work."""
    newest, people = NewestIndexer(life.store), PeopleIndexer(life.store, _SECRET)

    async def pack() -> None:
        await life.store.packing.pack_next(await life.reader.now(), PACKED_AT_ONCE, after_ms=0)

    async def index_people() -> None:
        await people.index_batch(PeopleKey(_SECRET), await life.reader.now())

    yield "the newest receipts are indexed", newest.index_batch
    yield f"people of 100 hooks of {OF_A_RECEIPT} deliveries are indexed", index_people
    yield "100 are claimed, and settled", life.claim_and_settle
    yield f"{PACKED_AT_ONCE} receipts are packed", pack
    yield "retention removes what is finished", lambda: life.store.retention.apply(0, 0, 0)
    yield "what a dead worker held is given back", life.end_leases


def _hook(number: int) -> Hook:
    return lead_hook(lead_body(number), "bench")


def _no_account(source: str) -> NoReturn:
    raise ConfigError(f"{source}: the bench has no account")


_SECRET: Final = SecretStr("a secret of the bench, of no use elsewhere")
