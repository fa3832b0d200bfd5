"""What comes from outside leaves no counters, sinks and keys behind without bound."""

from relay.model import Outcome, ReceiptState, RoutedEvent
from tests.integration.store.shapes import routed


def test_event_names_that_amocrm_does_not_have_are_counted_as_one(run, store, reader, given):
    (receipt,) = given.taken()
    names = ["add_lead", *(f"add_{n}" for n in range(90))]
    events = [
        RoutedEvent(index=n, name=name, entity="x", entity_id="", state=ReceiptState.UNROUTED, reason="")
        for n, name in enumerate(names)
    ]
    run(store.save_routed("router", [routed(receipt, events=events)]))
    counted = {name: n for name, n in run(reader.counters()).items() if name[0] == "event"}
    assert counted == {("event", "acme", "add_lead"): 1, ("event", "acme", "other"): 90}
    (seen,) = run(reader.receipts([receipt.id]))
    assert [event.name for event in seen.events] == names  # each is kept under its own


def test_a_subscription_that_is_gone_leaves_nothing_once_its_work_is_done(run, store, reader, given):
    run(store.registry.add_sinks({"sub-1": "subscriber", "sub-12": "subscriber"}))
    given.pending(sink="sub-1")
    given.pending(sink="sub-12")
    assert run(store.registry.forget_sinks(["sub-1", "gone"])) == ["gone"]  # something waits for the first
    for sink in ("sub-1", "sub-12"):
        given.settled(given.claim(sink=sink).items[0], Outcome.DELIVERED)
    assert run(store.registry.forget_sinks(["sub-1"])) == ["sub-1"]
    assert run(reader.registered_sinks()) == ["sub-12"]
    about = {name[1] for name in run(reader.counters()) if name[0] in ("delivery", "attempt")}
    assert about == {"sub-12"}
    assert not run(store.client.exists(store.keys.outcomes("sub-1")))
    assert run(store.client.exists(store.keys.outcomes("sub-12")))
