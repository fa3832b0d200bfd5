"""Whatever happens in whatever order, nothing is lost and every record is where it says it is."""

import itertools
import random

import pytest

from relay.model import DeliveryState, Outcome, Receipt
from relay.store.acts import Act, Author
from relay.store.keys import INBOX, sink_queue
from relay.store.requests import sink_claim_request
from tests.integration.invariants import broken_invariants_of, read_store
from tests.integration.store.shapes import hook, new, routed, settlement

SINKS = ("books", "ledger")
LEASE = 60_000
ACTS = (Act.RETRY, Act.CANCEL, Act.CONFIRM, Act.RESEND)
STEPS = 120
AS_MADE = [DeliveryState.PENDING] * 4 + [DeliveryState.SKIPPED, DeliveryState.DEAD]


class Life:
    """Hooks come, routers and drainers work, and some of them die or come back late."""

    def __init__(self, run, store, dice: random.Random) -> None:
        self.run, self.store, self.dice = run, store, dice
        self.numbers = itertools.count()
        self.accepted: set[str] = set()
        self.made: set[str] = set()
        self.decided: dict[str, str] = {}
        self.newest: dict[str, str] = {}  # whose lease is the last of a receipt or delivery
        self.routing: list = []  # receipts and their tokens, as routers hold them; some hold them no longer
        self.sending: list = []  # deliveries, as drainers hold them; likewise
        self.story: list[str] = []  # what was done, to read where it fails

    def name(self, kind: str) -> str:
        return f"{kind}{next(self.numbers):04}"

    def accept(self):
        alike = self.dice.random() < 0.3
        hooks = [
            hook(self.name("r"), b"the same" if alike else str(n).encode(), timed=alike)
            for n in range(self.dice.randint(1, 2))
        ]
        self.accepted |= {id for id, duplicate in self.run(self.store.accept(hooks)).answers if not duplicate}

    def claim_receipts(self):
        claim = self.run(self.store.claim_receipts(self.name("t"), self.dice.randint(1, 3), LEASE))
        self.routing += [(receipt, claim.token) for receipt in claim.items]
        self.newest |= {receipt.id: claim.token for receipt in claim.items}

    def route(self):
        receipt, token = self.pick(self.routing)
        once, last = self.dice.random() < 0.4, self.dice.random() < 0.6
        deliveries = [
            new(f"o{self.dice.randint(0, 5)}-{n}" if once else f"{receipt.id}-{n}", receipt.id, once=once,
                sink=SINKS[n % 2], state=self.dice.choice(AS_MADE))
            for n in range(self.dice.randint(0, 3))
        ]  # fmt: skip
        _, stale = self.run(self.store.save_routed(token, [routed(receipt, *deliveries, last=last)]))
        assert stale or self.newest[receipt.id] == token
        if not stale:
            self.made |= {delivery.id for delivery in deliveries}

    def claim_deliveries(self):
        claim = self.claim_of(self.dice.choice(SINKS), self.name("t"), self.dice.randint(1, 4), self.dice.randint(0, 4))
        self.sending += claim.items
        self.newest |= {delivery.id: claim.token for delivery in claim.items}

    def claim_of(self, sink, token, max=9, concurrency=0):
        return self.run(self.store.claim_deliveries(sink_claim_request(sink, token, max, LEASE, concurrency, [])))

    def outcome(self):
        """Make a settlement of an attempt."""
        delivery, outcome = self.pick(self.sending), self.dice.choice(list(Outcome))
        gate_ms = LEASE if outcome is Outcome.BLOCKED and self.dice.random() < 0.3 else 0
        return settlement(delivery, outcome, number=next(self.numbers), gate_ms=gate_ms)

    def settle(self):
        item = self.outcome()
        (answer,) = self.run(self.store.settle(item.delivery.sink, [item], {}))
        self.check_answer(item, answer)

    def settle_and_claim(self):
        item, token = self.outcome(), self.name("t")
        most, concurrency = self.dice.randint(1, 4), self.dice.randint(0, 4)
        (answer,), claim = self.run(
            self.store.settle_and_claim(
                item.delivery.sink,
                [item],
                {},
                sink_claim_request(item.delivery.sink, token, most, LEASE, concurrency, []),
            )
        )
        self.check_answer(item, answer)
        self.sending += claim.items
        self.newest |= {delivery.id: token for delivery in claim.items}

    def check_answer(self, item, answer):
        late = self.newest[item.delivery.id] != item.delivery.token
        assert answer in ("stale", "gone") or not late or item.outcome is Outcome.DELIVERED

    def mark_sending(self):
        delivery = self.pick(self.sending)
        (may,) = self.run(self.store.mark_sending([delivery]))
        assert not may or self.newest[delivery.id] == delivery.token

    def leases_run_out(self, queue=None):
        queue = queue or self.dice.choice([INBOX, *map(sink_queue, SINKS)])
        client, leased = self.store.client, self.store.keys.leased(queue)
        if ids := self.run(client.zrange(leased, 0, -1)):
            self.run(client.zadd(leased, dict.fromkeys(ids, 1)))
            self.run(client.zadd(self.store.keys.wake, {queue: 1}))

    def the_gate_s_time_is_over(self):
        gate = self.store.keys.gate(sink_queue(self.dice.choice(SINKS)))
        if self.run(self.store.client.hexists(gate, "until")):
            self.run(self.store.client.hset(gate, "until", 1))

    def a_person_acts(self):
        id, act = self.dice.choice(sorted(self.made)), self.dice.choice(ACTS)
        answer = self.run(self.store.acts.act_on_delivery(id, act, Author(by="anna")))
        self.decided = {known: state for known, state in self.decided.items() if known != id or answer.code != "done"}

    def a_person_replays(self):
        id, last = self.dice.choice(sorted(self.accepted)), self.dice.random() < 0.7
        receipt = Receipt(id=id, source="acme", received_at=0, body=b"")
        made = [new(f"{id}-{n}", id, sink=SINKS[n % 2]) for n in range(self.dice.randint(0, 3))]
        answer = self.run(self.store.acts.replay(routed(receipt, *made, last=last), Author(by="anna")))
        self.made |= {delivery.id for delivery in made if answer.code == "done"}

    def apply_retention(self):
        before = self.run(read_store(self.store))
        removed = self.run(self.store.apply_retention(0, 0, 0, max=2)).removed
        after = self.run(read_store(self.store))
        gone = before.receipts.keys() - after.receipts.keys()
        lost = before.deliveries.keys() - after.deliveries.keys()
        assert len(gone) == removed
        assert all(before.receipts[id]["open"] == "0" for id in gone)
        assert all(before.deliveries[id]["ev"].partition(".")[0] in gone for id in lost)
        self.accepted -= gone
        self.made -= lost
        self.decided = {id: state for id, state in self.decided.items() if id not in lost}

    def pick(self, held):
        """Pick mostly what was taken last: what was taken long ago is mostly done."""
        return held[-1 - min(int(self.dice.expovariate(0.4)), len(held) - 1)]

    def step(self):
        weights = {self.accept: 2, self.claim_receipts: 2, self.claim_deliveries: 4, self.leases_run_out: 2,
                   self.the_gate_s_time_is_over: 1, self.apply_retention: 1}  # fmt: skip
        if self.routing:
            weights[self.route] = 4
        if self.accepted:
            weights[self.a_person_replays] = 1
        if self.made:
            weights[self.a_person_acts] = 2
        if self.sending:
            weights |= {self.settle: 3, self.settle_and_claim: 4, self.mark_sending: 1}
        (action,) = self.dice.choices(list(weights), list(weights.values()))
        self.story.append(action.__name__)
        action()
        self.check()

    def check(self):
        seen = self.run(read_store(self.store))
        assert broken_invariants_of(seen) == [], self.story
        assert self.accepted <= seen.receipts.keys(), self.story
        assert self.made <= seen.deliveries.keys() | seen.once, self.story
        # What is decided stays so, but for a `once` delivery that was skipped: a later event may take its place.
        states = {id: delivery["state"] for id, delivery in seen.deliveries.items()}
        # And an attempt that is heard of late says that it was delivered, or what became of what is held for it.
        for id, state in self.decided.items():
            assert states[id] in (state, "delivered"), self.story
        self.decided = {id: state for id, state in states.items() if state in ("delivered", "dead", "cancelled")}
        return states

    def work_off(self):
        """Let workers that do not die finish everything."""
        self.leases_run_out(INBOX)
        while (claim := self.run(self.store.claim_receipts("last", 9, LEASE))).wait_ms == 0 or claim.items:
            self.run(self.store.save_routed("last", [routed(receipt) for receipt in claim.items]))
        for sink in SINKS:
            self.leases_run_out(sink_queue(sink))
            self.run(self.store.client.delete(self.store.keys.gate(sink_queue(sink))))
            while (claim := self.claim_of(sink, "last")).wait_ms == 0 or claim.items:
                self.run(self.store.settle(sink, [settlement(d, Outcome.DELIVERED) for d in claim.items], {}))


@pytest.mark.parametrize("seed", range(8))
def test_any_life_keeps_the_invariants(run, store, reader, seed):
    life = Life(run, store, random.Random(seed))
    for _ in range(STEPS):
        life.step()
    life.work_off()
    assert "pending" not in life.check().values()
    assert run(reader.inbox()) == (0, 0)
