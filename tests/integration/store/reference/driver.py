"""Drive a store and the model side by side: each call is made to both, and their answers must be alike."""

import itertools
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from relay.config.schema import RetentionSection
from relay.model import Breaker, CompletedLookup, Delivery, Limit, RoutedReceipt
from relay.store.acts import Act, Author
from relay.store.kept_ages import kept_ages
from relay.store.keys import INBOX, JOBS
from relay.store.reader import Reader
from relay.store.records import HANDED, Handed, Hook, LateAnswer, Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from relay.store.wake_ups import WakeUps
from relay.store.wire.claims import ClaimRequest
from tests.integration.invariants import broken_invariants_of, read_store
from tests.integration.store.reference import (
    accepting,
    acting,
    chances,
    claiming,
    gates,
    keeping,
    routing,
    settling,
    waking,
)
from tests.integration.store.reference.clock import set_time
from tests.integration.store.reference.comparing import differences
from tests.integration.store.reference.facts import FactTaker, followed
from tests.integration.store.reference.state import State

T = TypeVar("T")
LEASE_MS = 60_000
SINKS = ("books", "ledger", "sub-1")
ACCOUNT = "account:acme"
CONCURRENCY = {"sink:books": 3, "sink:sub-1": 1}
LIMITS = {"sink:ledger": [Limit(key="ledger", count=2, per_ms=1000)]}
BATCHES = {"sink:sub-1": (3, 2)}
BREAKER = Breaker(share=0.5, minimum=10, window_ms=60_000)
BREAKERS = {"books": BREAKER, "ledger": BREAKER}
ANNA = Author(by="anna")


class Driver:
    """A store under a clock of the test's, and what should be in it."""

    def __init__(self, run, store: Store, state: State) -> None:
        self.store, self.state = store, state
        self._run, self._facts = run, FactTaker(store)
        self.numbers = itertools.count()
        self.receipts: list = []  # as routers hold them with their tokens; some hold them no longer
        self.deliveries: list[Delivery] = []  # as drainers hold them; likewise
        self.lookups: list[Delivery] = []
        self.jobs: list = []
        self.unheard: dict[str, list[str]] = {}  # queue -> tokens of claims whose answers were lost
        self.made: list[str] = []  # ids of deliveries
        self.accepted: list[Hook] = []
        self.wake_ups: dict[str, WakeUps] = {}  # of the workers that are connected

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Make a call, and take out of the store what it told: a fact is a receipt of which the model knows nothing."""
        answer = self._run(call)
        self._run(self._facts.take())
        return answer

    def name(self, kind: str) -> str:
        return f"{kind}{next(self.numbers):04}"

    def pass_time(self, ms: int) -> None:
        self.state.move_time(self.state.now + ms)
        self.run(set_time(self.store, self.state.now))

    def waits(self, queue: str) -> bool:
        return bool(self.state.queues[queue].due or self.state.queues[queue].leased)

    def waiting_sinks(self) -> list[str]:
        return [sink for sink in SINKS if self.waits(f"sink:{sink}")]

    def in_hand(self) -> bool:
        return any(queue.leased for queue in self.state.queues.values())

    def check(self, *, is_home: bool = True) -> None:
        """Compare everything. `is_home`: the gates of its sinks are here; else it asks for them each second."""
        seen = self.run(read_store(self.store))
        assert broken_invariants_of(seen, self.state.skipped_before) == []
        assert self.run(differences(self.store, self.state, seen)) == []
        assert self._facts.written == self.state.facts.written
        for queue, concurrency in CONCURRENCY.items():
            started = seen.members(f"leased:{queue}").keys() - seen.members(f"ahead:{queue}").keys()
            assert queue in BATCHES or sum("|next " not in id for id in started) <= concurrency
        if is_home:
            assert chances.unwatched(self.state, seen, CONCURRENCY, LIMITS) == []
        else:
            assert chances.unasked(self.state, seen) == []

    def accept(self, hooks: Sequence[Hook], late: Sequence[LateAnswer] = ()) -> None:
        called_before, bells, before = self._called_to_inbox(), self._bells(), set(self.state.queues[INBOX].due)
        self._take_wake_ups()
        answer = self.run(self.store.accept(hooks, late))
        assert (answer.answers, list(answer.missing)) == accepting.accept(self.state, hooks, late)
        self.accepted += hooks
        stored = [id for id in self.state.queues[INBOX].due if id not in before]
        if to := waking.hand_over(self.state, stored):
            (handed,) = self._take_wake_ups().pop(to)
            self._check_handed(handed, [one for one in hooks if one.id in stored])
            assert not answer.bell_set
            return
        waiting = len(self.state.queues[INBOX].due)
        woken, rings = waking.call_workers(self.state, waiting, stored, called_before=called_before, bells=bells)
        assert (self._take_wake_ups(), answer.bell_set) == ({name: [INBOX] for name in woken}, rings)

    def _check_handed(self, handed: str | Handed, hooks: Sequence[Hook]) -> None:
        """A listener has what a claim would have given it."""
        assert isinstance(handed, Handed)
        told = [(one.id, one.source, one.body, one.received_at, one.deaths) for one in handed.receipts]
        assert told == [(one.id, one.source, one.body, self.state.now, 0) for one in hooks]
        self.receipts += [(one, HANDED) for one in handed.receipts]

    def _called_to_inbox(self) -> bool:
        at = self.run(self.store.client.zscore(self.store.keys.wake, INBOX))
        return at is not None and at <= self.state.now

    def _bells(self) -> list[str]:
        return [
            name for name in (INBOX, f"{INBOX}:more") if self.run(self.store.client.exists(self.store.keys.bell(name)))
        ]

    def _take_wake_ups(self) -> dict[str, list[str | Handed]]:
        """Return to what each connected worker was woken since the last time, where it was: an end is sent after it."""
        found: dict[str, list[str | Handed]] = {}
        for name, wake_ups in self.wake_ups.items():
            self.run(self.store.client.spublish(self.store.keys.wake_ups(name), "end"))
            while (queue := self.run(wake_ups.next())) != "end":
                if queue:
                    found.setdefault(name, []).append(queue)
        return found

    def connect(self, worker: str) -> None:
        if worker not in self.wake_ups:
            self.wake_ups[worker] = self.run(self.store.open_wake_ups(worker))
            self.state.connected.add(worker)

    def disconnect(self, worker: str) -> None:
        self.run(self.wake_ups.pop(worker).close())
        self.state.connected.discard(worker)
        channel = self.store.keys.wake_ups(worker)
        while self.run(self.store.client.pubsub_shardnumsub(channel))[0][1]:
            """The server has yet to notice."""

    def look(self, worker: str, listens: bool) -> None:
        assert self.run(self.store.look(worker, listens=listens)).listens == waking.look(self.state, worker, listens)

    def claim_receipts(self, worker: str, most: int, lost: bool = False) -> list:
        token = f"{worker}:{next(self.numbers)}"
        request = ClaimRequest(
            queue=INBOX, kind="r", token=token, max=most, lease_ms=LEASE_MS, unheard=self._unheard(INBOX)
        )
        claim = self.run(self.store.claim_receipts(token, most, LEASE_MS, request.unheard))
        taken = [(receipt, token) for receipt in claim.items]
        self._claimed(request, claim, lost)
        self.receipts += [] if lost else taken
        return taken

    def claim_deliveries(
        self, queue: str, worker: str, most: int, lost: bool = False, ahead: int = 0, back: bool = False
    ) -> list[Delivery]:
        request = self._claim_request(queue, f"{worker}:{next(self.numbers)}", most, ahead, back)
        return self._take(request, self.run(self.store.claim_deliveries(request)), lost)

    def claim_jobs(self, worker: str, lost: bool = False) -> list:
        token = f"{worker}:{next(self.numbers)}"
        request = ClaimRequest(queue=JOBS, kind="j", token=token, max=2, lease_ms=LEASE_MS, unheard=self._unheard(JOBS))
        claim = self.run(self.store.claim_jobs(token, 2, LEASE_MS, request.unheard))
        self._claimed(request, claim, lost)
        self.jobs += [] if lost else claim.items
        return claim.items

    def claim(self, queue: str, worker: str, most: int) -> list:
        """Claim of any queue."""
        if queue == INBOX:
            return self.claim_receipts(worker, most)
        if queue == JOBS:
            return self.claim_jobs(worker)
        return self.claim_deliveries(queue, worker, most)

    def held_ahead(self, queue: str, worker: str) -> list[Delivery]:
        """Return what a worker has ahead of a slot."""
        ahead, records = self.state.queues[queue].ahead, self.state.deliveries
        held = [one for one in self.deliveries if one.id in ahead and one.token == records[one.id].token]
        return [one for one in held if one.token.startswith(f"{worker}:")]

    def _claim_request(self, queue: str, token: str, most: int, ahead: int = 0, back: bool = False) -> ClaimRequest:
        unheard = self._unheard(queue)
        if queue == ACCOUNT:
            return ClaimRequest(queue=queue, kind="d", token=token, max=most, lease_ms=LEASE_MS, unheard=unheard)
        concurrency, limits, batch = CONCURRENCY.get(queue, 0), LIMITS.get(queue, []), BATCHES.get(queue, (0, 0))
        sink = queue.removeprefix("sink:")
        held = self.held_ahead(queue, token.partition(":")[0])
        return sink_claim_request(
            sink, token, most, LEASE_MS, concurrency, limits, batch, unheard,
            ahead=0 if batch[0] else ahead, holds_ahead=bool(held), back=held if back else (),
        )  # fmt: skip

    def _unheard(self, queue: str) -> list[str]:
        return self.unheard.pop(queue, [])

    def _take(self, request: ClaimRequest, claim, lost: bool) -> list[Delivery]:
        before = {one.id: self.state.deliveries[one.id] for one in claim.items}
        self._claimed(request, claim, lost)
        for one in claim.items:
            right = before[one.id]
            stored = (one.sending, one.sends, one.attempts, one.deaths, one.generation, one.content)
            assert stored == (
                bool(right.sent_at), right.sends, right.attempts, right.died, right.generation, right.content
            )  # fmt: skip
        if not lost:
            (self.lookups if request.queue == ACCOUNT else self.deliveries).extend(claim.items)
        return claim.items

    def _claimed(self, request: ClaimRequest, claim, lost: bool) -> None:
        due = self.run(self.store.client.zrange(self.store.keys.due(request.queue), 0, -1, withscores=True))
        taken, due_after = [item.id for item in claim.items], {id.decode(): at for id, at in due}
        right = claiming.claim(self.state, request, taken, due_after, claim.ahead, claim.recalled)
        assert claim.poisoned == right
        if lost:
            self.unheard.setdefault(request.queue, []).append(request.token)

    def save_routed(self, token: str, parts: Sequence[RoutedReceipt]) -> None:
        _, stale = self.run(self.store.save_routed(token, parts))
        assert stale == routing.save_routed(self.state, token, parts)
        self._note_made(parts)

    def save_routed_and_claim(
        self, token: str, parts: Sequence[RoutedReceipt], worker: str, most: int, lost: bool = False
    ) -> None:
        """Write what became of receipts by a worker that has drainers for all sinks."""
        waited = {id for sink in SINKS for id in self.state.queues[f"sink:{sink}"].due}
        requests = [self._routed_claim(f"sink:{sink}", worker, most) for sink in SINKS]
        queues, stale, claims = self.run(self.store.save_routed_and_claim(token, parts, requests))
        assert stale == routing.save_routed(self.state, token, parts)
        self._note_made(parts)
        for request, claim in zip(requests, claims, strict=True):
            due = self.state.queues[request.queue].due
            made = list({new.id: None for part in parts for new in part.deliveries if new.id in due.keys() - waited})
            made.sort(key=self._placed)
            assert [one.id for one in claim.items] == claiming.claim_made(self.state, request, made)
            assert (request.queue in queues) == bool(due.keys() & set(made)), "work that is left starts a drainer"
            self._check_made(claim.items)
            if lost and claim.items:
                self.unheard.setdefault(request.queue, []).append(request.token)
            self.deliveries += [] if lost else claim.items

    def _routed_claim(self, queue: str, worker: str, most: int) -> ClaimRequest:
        """Ask for what is made; of a claim that was not heard of the sink's own next claim speaks."""
        before = list(self.unheard.get(queue, []))
        request = self._claim_request(queue, f"{worker}:{next(self.numbers)}", most)
        self.unheard[queue] = before
        return request

    def _placed(self, id: str) -> tuple[int, str]:
        """Return when the store puts a delivery into its queue: those with keys are the last, by their arrival."""
        delivery = self.state.deliveries[id]
        return delivery.position if delivery.keyed else (0, "")

    def _check_made(self, taken: Sequence[Delivery]) -> None:
        """Compare what the router passes on to what a claim would read."""
        for one in taken:
            right = self.state.deliveries[one.id]
            assert (one.event_id, one.route, one.sink) == (right.event, right.route, right.sink)
            assert (one.content, one.accepted_at) == (right.content, right.accepted_at)

    def replay(self, part: RoutedReceipt) -> None:
        answer = self.run(self.store.acts.replay(part, ANNA))
        assert (answer.code, answer.made) == routing.replay(self.state, part)
        self._note_made([part])

    def _note_made(self, parts: Sequence[RoutedReceipt]) -> None:
        ids = [new.id for part in parts for new in part.deliveries]
        self.made += [id for id in ids if id in self.state.deliveries and id not in self.made]

    def leave_receipts(self, token: str, ids: Sequence[str], most_ms: int) -> None:
        kept = self.run(self.store.leave_receipts(token, ids, most_ms))
        assert kept == claiming.leave_receipts(self.state, token, ids, most_ms)

    def mark_sending(self, deliveries: Sequence[Delivery]) -> None:
        may = self.run(self.store.mark_sending(deliveries))
        assert may == [acting.may_leave(self.state, one.id, one.token) for one in deliveries]

    def settle(self, sink: str, items: Sequence[Settlement]) -> None:
        items = followed(items)
        begun = self._begun(sink, items)
        answers = self.run(self.store.settle(sink, items, {}, BREAKERS.get(sink), begun))
        self._settled(sink, items, begun, answers)

    def settle_and_claim(self, sink: str, items: Sequence[Settlement], worker: str, most: int, ahead: int) -> None:
        items = followed(items)
        request = self._claim_request(f"sink:{sink}", f"{worker}:{next(self.numbers)}", most, ahead)
        begun = self._begun(sink, items)
        answers, claim = self.run(self.store.settle_and_claim(sink, items, {}, request, BREAKERS.get(sink), begun))
        self._settled(sink, items, begun, answers)
        self._take(request, claim, lost=False)

    def _settled(self, sink: str, items: Sequence[Settlement], begun: Sequence[Delivery], answers: list[str]) -> None:
        queue, breaker = f"sink:{sink}", BREAKERS.get(sink)
        assert answers == settling.settle(self.state, queue, sink, items, breaker, begun=begun)

    def _begun(self, sink: str, items: Sequence[Settlement]) -> list[Delivery]:
        """Return what of these was ahead, and what a worker lets take over the slots of the others."""
        queue = self.state.queues[f"sink:{sink}"]
        settled = [one.delivery for one in items if one.delivery.id in self.state.deliveries]
        held = [one for one in settled if one.token == self.state.deliveries[one.id].token]
        found = [one for one in held if one.id in queue.ahead]
        for one in held:
            if one.id in queue.leased and one.id not in queue.ahead:
                worker = one.token.partition(":")[0]
                waiting = [next_one for next_one in self.held_ahead(f"sink:{sink}", worker) if next_one not in found]
                found += waiting[:1]
        return found

    def postpone_lookups(self, items: Sequence[Settlement], asked: bool) -> None:
        answers = self.run(self.store.postpone_lookups(ACCOUNT, items, asked=asked))
        assert answers == settling.settle(self.state, ACCOUNT, ACCOUNT, items, in_vain=asked)

    def complete_lookups(self, items: Sequence[CompletedLookup]) -> None:
        _, stale = self.run(self.store.complete_lookups(ACCOUNT, items))
        assert stale == settling.complete_lookups(self.state, ACCOUNT, items)

    def end_leases(self, worker: str, sending: bool) -> None:
        ended = self.run(self.store.end_leases(worker, sending=sending))
        assert ended == claiming.end_leases(self.state, worker, sending)

    def act(self, id: str, what: Act) -> None:
        answer = self.run(self.store.acts.act_on_delivery(id, what, ANNA))
        assert answer.code == acting.act(self.state, id, what)

    def render(self, id: str, anew, queue: str, force: bool) -> None:
        answer = self.run(self.store.acts.render(id, ANNA, anew, queue, "v2", force=force))
        assert answer.code == acting.render(self.state, id, anew.content, queue, force)

    def move(self, id: str, to: str, planned) -> None:
        answer = self.run(self.store.acts.move(id, ANNA, to, "http", planned))
        plan = (planned.id, planned.once) if planned else ("", False)
        assert answer.code == acting.move(self.state, id, to, *plan)

    def set_pause(self, sink: str, act: str, until: int) -> None:
        if act == "pause":
            done, _, _ = self.run(self.store.acts.pause(sink, ANNA, until or None))
        else:
            done, _ = self.run(self.store.acts.resume(sink, ANNA))
        assert done == gates.set_pause(self.state, f"sink:{sink}", act, until)

    def enqueue_job(self, id: str, delay_ms: int) -> None:
        self.run(self.store.enqueue_job(id, "retention", delay_ms=delay_ms))
        keeping.enqueue_job(self.state, id, delay_ms)

    def finish_job(self, job, again_ms: int | None) -> None:
        done = self.run(self.store.finish_job(job, again_ms))
        assert done == keeping.finish_job(self.state, job.id, job.token, again_ms)

    def end_fact_groups(self) -> None:
        assert self.run(self.store.end_fact_groups()) == self.state.facts.end_windows(self.state.now)

    def pack(self, most: int) -> None:
        """Pack what was finished long ago: nothing of it is other than before, so the model knows of no such thing."""
        self.run(self.store.packing.pack_next(self.state.now, most))

    def apply_ages(self, keep: RetentionSection) -> None:
        """Apply ages by state and source, to the end."""
        ages = kept_ages(keep)
        while self.run(self.store.retention.apply_ages(ages)).more:
            pass
        reader = Reader(self.store.client, self.store.namespace)
        left = set(self.run(reader.newest_receipts(10_000)))
        keeping.remove_over_age(self.state, ages, [id for id in self.state.receipts if id not in left])
        self.made = [id for id in self.made if id in self.state.deliveries]

    def apply_retention(self, finished_ms: int, dead_ms: int, count: int, most: int) -> None:
        done = self.run(self.store.retention.apply(finished_ms, dead_ms, count, most))
        assert done.removed == keeping.apply_retention(self.state, finished_ms, dead_ms, count, most)
        assert not done.damaged
        self.made = [id for id in self.made if id in self.state.deliveries]
