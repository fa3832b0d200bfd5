"""What a trace goes on from is kept with the receipt and its deliveries, for whichever process takes them, and when."""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from relay.model import Delivery, Outcome, Receipt
from relay.sinks.http.settings import HttpSettings
from relay.sinks.http.sink import HttpSink
from relay.store.put_off import PutOff
from relay.store.requests import sink_claim_request
from relay.tracing.recording import RecordingTracer
from relay.tracing.tracer import Tracer
from tests.integration.store.shapes import hook, new, routed
from workers.attempt_spans import AttemptSpans
from workers.route_spans import RouteSpans

HOOK = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ROUTE = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01"


@pytest.fixture
def taken(run, store) -> Callable[..., Receipt]:
    """Store a hook, and take it from the inbox."""

    def take(trace: str = HOOK) -> Receipt:
        run(store.accept([hook("r1", trace=trace)]))
        (receipt,) = run(store.claim_receipts("t1", 1, 60_000)).items
        return receipt

    return take


def test_it_goes_with_the_receipt_and_with_each_attempt_of_its_deliveries(run, store, reader, taken, given):
    receipt = taken()
    assert receipt.trace == HOOK
    assert run(reader.raw_receipts(["r1"]))["r1"].trace == HOOK
    (shown,) = run(reader.receipts(["r1"]))
    assert shown.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    run(store.save_routed("t1", [routed(replace(receipt, trace=ROUTE), new("d1", "r1"))]))
    (first,) = given.claim().items
    assert first.trace == ROUTE
    given.settled(first, Outcome.RETRY)
    (again,) = given.claim("w2").items
    assert again.trace == ROUTE


def test_what_routing_claims_itself_has_it_too(run, store, taken):
    receipt = replace(taken(), trace=ROUTE)
    claims = [sink_claim_request("books", "w1", 10, 60_000, 0, ())]
    _, _, (claim,) = run(store.save_routed_and_claim("t1", [routed(receipt, new("d1", "r1"))], claims))
    assert [one.trace for one in claim.items] == [ROUTE]


def test_what_was_put_off_goes_on_from_the_hook(run, store, taken, given, namespace):
    receipt = taken()
    run(store.registry.add_sinks({"books": "http"}, {"books": 1}))
    run(store.save_routed("t1", [routed(receipt, new("d1", "r1"), new("d2", "r1"))]))
    given.settled(given.claim().items[0], Outcome.DELIVERED)
    put_off = PutOff(store.client, namespace)
    (waits,) = run(put_off.next("books", 10))
    run(put_off.make("books", "acme", "v1", [(waits.member, new(waits.id, "r1"))]))
    assert [one.trace for one in given.claim().items] == [HOOK]


def test_without_a_trace_nothing_is_written(run, store, taken, given):
    receipt = taken("")
    run(store.save_routed("t1", [routed(receipt, new("d1", "r1"))]))
    assert receipt.trace == given.claim().items[0].trace == ""
    for key in (store.keys.receipt("r1"), store.keys.delivery("d1")):
        assert not run(store.client.hexists(key, "trace"))


def sink() -> HttpSink:
    return HttpSink("books", HttpSettings(type="http", url="https://books.example.com"))


@pytest.fixture
def deliveries(run, store, taken, given) -> Sequence[Delivery]:
    run(store.save_routed("t1", [routed(replace(taken(), trace=ROUTE), new("d1", "r1"), new("d2", "r1"))]))
    return [*given.claim().items]


def test_a_batch_has_a_span_for_each_and_one_whose_lease_is_lost_ends_too(deliveries):
    exporter = InMemorySpanExporter()
    tracer = RecordingTracer({}, exporter)
    untraced = replace(deliveries[0], id="d3", trace="")
    spans = AttemptSpans(tracer, [*deliveries, untraced], sink())
    assert len({one.trace for one in spans.deliveries}) == 3
    assert spans.deliveries[2] is untraced
    spans.end_rest([*deliveries, untraced])
    tracer.close()
    assert [one.attributes["relay.outcome"] for one in exporter.get_finished_spans()] == ["lost_lease"] * 2


def test_a_worker_that_records_nothing_hands_on_what_it_was_given(deliveries):
    assert [one.trace for one in AttemptSpans(Tracer(), deliveries, sink()).deliveries] == [ROUTE] * 2
    receipts = [Receipt(id="r1", source="acme", received_at=1, body=b"", trace=HOOK)]
    assert RouteSpans(Tracer(), receipts).receipts is receipts
