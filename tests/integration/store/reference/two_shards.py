"""Two shards, of which one is the home of all sinks: both are stores beside their models."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from relay.model import Delivery
from relay.store.records import SUSPECT_AFTER, Settlement
from relay.store.requests import settlement_row, sink_claim_request
from relay.store.wire.lending import BegunTrial, Granted, LendReply, LentTrial, ReportRow, ReturnRequest
from tests.integration.store.reference import lending
from tests.integration.store.reference.driver import BREAKERS, CONCURRENCY, LEASE_MS, LIMITS, Driver
from tests.integration.store.reference.facts import followed
from tests.integration.store.reference.hook_actions import deliveries_of
from tests.integration.store.shapes import hook, routed

BORROWER = "01"
LONGER_MS = 60_000


@dataclass
class Slot:
    """In which slot of the home a delivery of the other shard runs."""

    token: str
    number: int


class TwoShards:
    """Calls both, as a worker of the other shard does; each call is made to a store and to its model."""

    def __init__(self, home: Driver, other: Driver) -> None:
        self.home, self.other = home, other
        self.slots: dict[tuple[str, str], Slot] = {}  # by the deliveries' ids and tokens
        self.unheard: dict[str, list[str]] = {}  # of the home: tokens of which no answer was heard
        self.out: list[Delivery] = []  # of the other shard

    def pass_time(self, ms: int) -> None:
        for driver in (self.home, self.other):
            driver.pass_time(ms)

    def check(self) -> None:
        self.home.check()
        self.other.check(is_home=False)
        assert not any(gate.routes or gate.paused for gate in self.other.state.gates.values())

    def make(self, driver: Driver, plan) -> None:
        """Route a hook in a shard."""
        driver.accept([hook(driver.name("r"))])
        for receipt, token in driver.claim_receipts("w1", 1):
            driver.save_routed(token, [routed(receipt, *deliveries_of(receipt.id, plan))])

    def work(self, sink: str, items: Sequence[Settlement], most: int, lost: str = "") -> None:
        """Report, borrow, settle, claim and give back. `lost`: the answer of which call is not heard."""
        items = followed(items)
        queue, reports = f"sink:{sink}", self._reports(items)
        lent_request = self._request(sink, most, self.unheard.pop(queue, ()))
        asked = (reports, BREAKERS.get(sink))
        answer = self.home.run(self.home.store.lending.lend(BORROWER, lent_request, *asked))
        right = lending.lend(self.home.state, lent_request, BORROWER, *asked)
        marks, first, reply = answer
        self._compare(answer, right)
        if lost == "lend":
            self.unheard.setdefault(queue, []).append(lent_request.token)
            reply, lent, marks, first = _nothing(reply.at), lending.Lent(0, reply.at), [], 0
        else:
            lent = right[2]
        tried_first = reports[first - 1].item.id if first else ""
        items = [_due_when_asked(one) if one.delivery.id == tried_first else one for one in items]
        remembered = {row.item.id: mark for row, mark in zip(reports, marks, strict=False) if mark}
        claim, blocked = self._settle_and_claim(sink, items, most, reply, lent, remembered)
        if lost == "claim":
            self.other.unheard.setdefault(queue, []).append(claim.token)
            self.unheard.setdefault(queue, []).append(lent_request.token)
            return
        self._give_back(lent_request, reply, claim, blocked)
        faults = self.home.run(self.home.store.lending.find_faults(sink, blocked))
        assert faults == lending.find_faults(self.home.state, sink, blocked)
        for place, one in enumerate(claim.items, 1):
            self.slots[one.id, one.token] = Slot(lent_request.token, place)
        self.out += claim.items

    def _request(self, sink: str, most: int, unheard: Sequence[str] = ()):
        token, queue = f"w1:{next(self.home.numbers)}", f"sink:{sink}"
        limits, concurrency = LIMITS.get(queue, []), CONCURRENCY.get(queue, 0)
        return sink_claim_request(sink, token, most, LEASE_MS, concurrency, limits, (0, 0), unheard)

    def _reports(self, items: Sequence[Settlement]) -> list[ReportRow]:
        found = []
        for item in items:
            if slot := self.slots.get((item.delivery.id, item.delivery.token)):  # some are reported twice
                found.append(ReportRow(slot.token, slot.number, item.delivery.route, settlement_row(item)))
        return found

    def _compare(self, answer, right) -> None:
        marks, first, reply = answer
        assert (marks, first) == right[:2]
        lent = right[2]
        assert (reply.slots, reply.openings) == (lent.slots, lent.openings)
        assert {one.route: one.closed_until for one in reply.trials} == lent.trials

    def _settle_and_claim(self, sink: str, items, most: int, reply: LendReply, lent: lending.Lent, marks):
        driver, queue = self.other, f"sink:{sink}"
        request = self._request(sink, most, driver.unheard.pop(queue, []))
        granted = Granted(
            slots=reply.slots, wait_ms=reply.wait_ms, at=reply.at, openings=reply.openings, gate=reply.gate
        )  # fmt: skip
        call = driver.store.settle_and_claim_granted(sink, items, {}, request, granted, marks)
        answers, claim, blocked = driver.run(call)
        assert answers == lending.settle(driver.state, sink, items, marks)
        assert blocked == {one.id: mark for one in claim.items if (mark := driver.state.deliveries[one.id].blocked)}
        due = driver.run(driver.store.client.zrange(driver.store.keys.due(queue), 0, -1, withscores=True))
        taken, due_after = [one.id for one in claim.items], {id.decode(): at for id, at in due}
        assert claim.poisoned == lending.claim_granted(driver.state, request, lent, taken, due_after)
        return claim, blocked

    def _give_back(self, lent_request, reply: LendReply, claim, blocked) -> None:
        if not reply.slots:
            return
        begun, unused = [], []
        for trial in reply.trials:
            made = [one for one in claim.items if trial.route in ("", one.route)]
            if made:
                begun.append(BegunTrial(route=trial.route, blocked=made[0].id in blocked))
            else:
                unused.append(LentTrial(route=trial.route, closed_until=trial.closed_until))
        suspect = any(one.deaths >= SUSPECT_AFTER for one in claim.items)
        request = ReturnRequest(
            queue=lent_request.queue, token=lent_request.token, slots=reply.slots, used=len(claim.items), at=reply.at,
            limits=lent_request.limits, begun=begun, unused=unused, longer_ms=LONGER_MS if suspect else 0,
        )  # fmt: skip
        returned = self.home.run(self.home.store.lending.give_back(request))
        assert returned == lending.give_back(self.home.state, request)


def _nothing(at: int) -> LendReply:
    return LendReply(slots=0, wait_ms=0, at=at, openings=0, gate=[], trials=[])


def _due_when_asked(item: Settlement) -> Settlement:
    return replace(item, decision=replace(item.decision, delay_ms=item.decision.asked_ms))
