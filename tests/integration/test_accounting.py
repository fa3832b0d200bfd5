"""One invoice for each won lead: over the real store, with the fakes in a process of their own."""

import time
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.config.load import load_file
from relay.encryption import Encrypter
from relay.model import DeliveryState
from relay.planning import plan_receipt
from relay.sandbox.vendors.accounting import CLIENT, SIGNING_SECRET, STATIC_TOKEN
from relay.sinks.base import Sink
from relay.sinks.registry import sink_types
from relay.sinks.tools import Tools
from relay.store.acts import Act, Author
from relay.store.keys import sink_queue
from relay.store.requests import sink_claim_request
from relay.store.shared_state import SharedState
from relay.transport import Session
from tests.integration.scripted_sink import drain
from tests.integration.store.shapes import hook

ROOT = Path(__file__).parents[2]
ORGANIZATION = "5f0f2b1e-0000-4000-8000-000000000001"
SERVICE = "5f0f2b1e-0000-4000-8000-000000000002"


@pytest.fixture
def configured(sandbox, monkeypatch):
    """Load an example against the sandbox; calls give up early, waits are short."""

    def configured(example: str, changed_sink: str, **changes):
        environ = {
            "ACME_HOOK_TOKEN": "a-hook-token",
            "MOYSKLAD_URL": f"{sandbox.url}/moysklad",
            "MOYSKLAD_TOKEN": "a-token",
            "MOYSKLAD_ORGANIZATION": ORGANIZATION,
            "MOYSKLAD_SERVICE": SERVICE,
            "BOOKS_URL": f"{sandbox.url}/books",
            "BOOKS_TOKEN_URL": f"{sandbox.url}/books/oauth/token",
            "BOOKS_CLIENT_ID": CLIENT[0],
            "BOOKS_CLIENT_SECRET": CLIENT[1],
            "BOOKS_SIGNING_SECRET": SIGNING_SECRET,
            "LEDGER_URL": f"{sandbox.url}/books",
            "LEDGER_TOKEN": STATIC_TOKEN,
        }
        config = load_file(str(ROOT / "config/examples" / example), environ=environ, sink_types=sink_types())
        short = {"timeout": "600ms", "retry": ["1ms"], "attempts": 30, "blocked_for": "1ms"}
        sinks = {}
        for name, own in config.sinks.items():
            cls = type(sink_types()[own.type].__name__, (sink_types()[own.type],), {"lookup_after_ms": 1})
            keys = own.model_dump(by_alias=True, exclude_unset=True) | short
            sinks[name] = cls(name, type(own).model_validate(keys | (changes if name == changed_sink else {})))
        return config, sinks

    return configured


LEAD = 7001
CASES = {
    "moysklad": ("moysklad.yaml", "moysklad", "moysklad", "/entity/invoiceout", {}),
    "a vendor that honours keys": ("accounting.yaml", "books", "books", "/invoices", {}),
    "a vendor that is asked first": ("accounting.yaml", "ledger", "books", "/invoices", {}),
    "a vendor that is asked in doubt": ("accounting.yaml", "ledger", "books", "/invoices", {"lookup_first": False}),
    "a vendor that only people can ask": (
        "accounting.yaml", "ledger", "books", "/invoices", {"lookup_first": False, "on_unknown": "hold"}
    ),
}  # fmt: skip
FAULTS = [
    {"fault": "hang", "after_storing": True},
    {"fault": "hang"},
    {"fault": "reset", "after_storing": True},
    {"fault": "reset"},
    {"fault": "status", "status": 500, "after_storing": True},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502, "after_storing": True},
    {"fault": "status", "status": 503},
    {"fault": "html"},
    {"fault": "html", "after_storing": True},
    {"fault": "truncated"},
    {"fault": "throttle"},
    {"fault": "throttle", "retry_after": 0},
    {"fault": "status", "status": 403},
]


def won(changed_at: int, lead: int = LEAD) -> bytes:
    """A hook about a won lead. At another time it means that the lead was reopened and won again."""
    fields = {"id": lead, "name": "Поставка", "status_id": 142, "old_status_id": 7039101, "price": 150000,
              "last_modified": changed_at, "account_id": 7039099}  # fmt: skip
    pairs = {f"leads[status][0][{key}]": str(value) for key, value in fields.items()}
    return urllib.parse.urlencode({**pairs, "account[subdomain]": "acme"}).encode()


class Shop:
    """One sink of an example, its fake, and all that may happen to a delivery."""

    def __init__(self, run, store, namespace, reader, sandbox, config, sinks, case) -> None:
        _, self.sink_name, self.vendor, self.path, _ = case
        self.run, self.store, self.namespace, self.reader = run, store, namespace, reader
        self.sandbox, self.config, self.sinks = sandbox, config, sinks
        self.sink: Sink = sinks[self.sink_name]
        self._hooks = 0

    def hook(self, lead: int = LEAD) -> None:
        """The lead is won, or won again."""
        self._hooks += 1
        body = won(1_790_000_000 + self._hooks, lead)
        self.run(self.store.accept([hook(f"r{self._hooks:05}", body)]))
        (receipt,) = self.run(self.store.claim_receipts("router", 1, 60_000)).items
        routed = plan_receipt(receipt, self.config, self.sinks)
        assert {one.sink for one in routed.deliveries} >= {self.sink_name}
        assert all(one.state is DeliveryState.PENDING for one in routed.deliveries), routed
        self.run(self.store.save_routed("router", [routed]))
        self.ids = [one.id for one in routed.deliveries if one.sink == self.sink_name]

    def drain(self, workers: int = 1) -> None:
        self.run(drain(self.store, self.namespace, *[self.sink] * workers))

    def fault(self, **fault) -> None:
        self.sandbox.fault(vendor=self.vendor, path=self.path, **fault)

    def die(self) -> None:
        """A worker sends, and dies before it settles."""

        async def attempt() -> None:
            sink, token = self.sink, "dying"
            claim = await self.store.claim_deliveries(sink_claim_request(sink.name, token, 1, 60_000, 8, ()))
            for delivery in claim.items:
                if sink.repeatable(delivery) or (
                    not delivery.sending and await self.store.mark_sending([delivery]) == [True]
                ):
                    await self._send(delivery)
                await self.store.client.zadd(self.store.keys.leased(sink_queue(sink.name)), {delivery.id: 1})

        self.run(attempt())

    async def _send(self, delivery) -> None:
        async with Session() as session:
            shared = SharedState(self.store.client, self.namespace)
            await self.sink.send(delivery, Tools(session=session, shared=shared, now=time.time))

    def finish(self):
        """Deliver until the end. A person decides about what is held, by looking it up there."""
        self.sandbox.call("DELETE", "/__sandbox__/faults")
        end = time.monotonic() + 15
        while time.monotonic() < end:
            self.drain()
            (found,) = self.run(self.reader.deliveries(self.ids))
            if found.state is DeliveryState.HELD:
                self.decide()
            elif found.state is not DeliveryState.PENDING:
                return found
            self.pass_time()
            time.sleep(0.02)
        raise AssertionError(f"it does not end: {found}")

    def decide(self) -> None:
        """A person decides: what is held they look for first, what is dead they send again."""
        (found,) = self.run(self.reader.deliveries(self.ids))
        arrived = found.state is DeliveryState.HELD and self.stored()
        act = Act.CONFIRM if arrived else Act.RESEND
        self.run(self.store.acts.act_on_delivery(self.ids[0], act, Author(by="a person")))

    def pass_time(self) -> None:
        """Let time pass: what waits is due, the gate is open, the limits are free."""
        keys, queue = self.store.keys, sink_queue(self.sink.name)
        grants = [keys.grants(limit.key) for limit in self.sink.limits]
        self.run(self.store.client.zadd(keys.due(queue), dict.fromkeys(self.ids, 1), xx=True))
        self.run(self.store.client.delete(keys.gate(queue), *grants))

    def stored(self) -> list[dict]:
        return self.sandbox.stored(self.vendor, self.path)


@pytest.fixture
def shop(run, store, namespace, reader, sandbox, configured):
    def shop(case) -> Shop:
        example, sink, _, _, changes = CASES[case]
        config, sinks = configured(example, sink, **changes)
        return Shop(run, store, namespace, reader, sandbox, config, sinks, CASES[case])

    return shop


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: " ".join(map(str, fault.values())))
@pytest.mark.parametrize("case", CASES)
def test_whatever_goes_wrong_there_is_one_invoice(shop, case, fault):
    here = shop(case)
    here.hook()
    here.fault(**fault)
    here.drain()
    assert here.finish().state is DeliveryState.DELIVERED
    assert len(here.stored()) == 1


STEPS = st.lists(
    st.sampled_from(["won", "drain", "die", "resend", *range(len(FAULTS))]),
    min_size=3,
    max_size=7,
)


@pytest.mark.parametrize("case", CASES)
def test_however_often_anything_repeats_there_is_one_invoice(shop, case):
    """Hooks after the duplicate window, leads won again, dying workers, bad networks and a person who resends."""
    here = shop(case)
    leads = iter(range(8000, 9000))

    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def law(steps):
        here.sandbox.clear()
        lead = next(leads)
        here.hook(lead)
        here.pass_time()
        for step in steps:
            match step:
                case "won":
                    here.hook(lead)
                case "drain":
                    here.drain(workers=2)
                case "die":
                    here.die()
                case "resend":
                    here.decide()
                case number:
                    here.fault(**FAULTS[number])
        assert here.finish().state is DeliveryState.DELIVERED
        assert len(here.stored()) == 1

    law()


def test_a_token_is_fetched_once_for_all_workers_and_again_where_it_is_refused(shop):
    here = shop("a vendor that honours keys")
    here.hook()
    other = here.sinks["books"]
    here.drain(workers=2)
    tokens = [one for one in here.sandbox.requests("books") if one["path"] == "/oauth/token"]
    assert len(tokens) == 1
    pattern = here.store.keys.shared("oauth2:*")
    (stored,) = here.run(here.store.client.keys(pattern))
    sealed = here.run(here.store.client.get(stored))
    opened = Encrypter(here.sink._settings.auth.oauth2.client_secret).decrypt(sealed)
    _, token = msgspec.msgpack.decode(opened)[::-1]
    here.sandbox.call("POST", "/books/oauth/revoke", urllib.parse.urlencode({"token": token}).encode())
    here.hook(LEAD + 1)
    here.drain()
    assert other is here.sink
    assert len([one for one in here.sandbox.requests("books") if one["path"] == "/oauth/token"]) == 2
    assert len(here.stored()) == 2


def test_a_wrong_signature_closes_the_sink_and_heals_when_it_is_mended(shop, configured):
    here = shop("a vendor that honours keys")
    right = here.sink
    _, sinks = configured("accounting.yaml", "books", signing_secret="another secret", blocked_for="1h")
    here.sink = sinks["books"]
    here.hook()
    here.drain()
    (found,) = here.run(here.reader.deliveries(here.ids))
    assert (found.state, found.attempts, here.stored()) == (DeliveryState.PENDING, 0, [])
    here.sink = right
    assert here.finish().state is DeliveryState.DELIVERED


def test_every_call_to_moysklad_takes_a_grant(shop):
    here = shop("moysklad")
    for lead in range(LEAD, LEAD + 4):
        here.hook(lead)
    here.drain(workers=2)
    minute = here.sink.limits[-1]
    assert minute.per_ms == 60_000
    granted = here.run(here.store.client.llen(here.store.keys.grants(minute.key)))
    assert granted == len(here.sandbox.requests("moysklad")) == 4 * 3  # looked up, made, invoiced
    assert len(here.stored()) == 4


@pytest.mark.parametrize("sink", ["books", "moysklad"])
def test_the_probe_is_answered(run, configured, sink, store, namespace):
    _, sinks = configured("moysklad.yaml" if sink == "moysklad" else "accounting.yaml", sink)

    async def probe():
        async with Session() as session:
            tools = Tools(session=session, shared=SharedState(store.client, namespace), now=time.time)
            return await sinks[sink].probe(tools)

    assert run(probe()).ok
