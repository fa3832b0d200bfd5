"""Subscriptions are records of the store: one for each address of a source, changed whole, there after any death."""

import pytest

from relay.errors import LimitReached
from relay.store.connect import connect
from relay.store.subscriptions import MAX_ACTIVE, Subscriptions

APP = "http://app.example/hook"
OTHER = "http://other.example/hook"


@pytest.fixture
def subscriptions(store, namespace) -> Subscriptions:
    return Subscriptions(store.client, namespace)


def test_a_subscription_has_all_that_was_said_of_it(subscriptions, reader, run):
    before = run(reader.now())
    made = run(subscriptions.subscribe("acme", APP, ["status_lead", "add_lead"], "crm@example.com", "Books"))
    assert run(subscriptions.list("acme")) == (made,)
    assert run(subscriptions.get(made.id)) == made
    assert run(subscriptions.list("other")) == ()
    assert (made.source, made.url, made.name, made.created_by) == ("acme", APP, "Books", "crm@example.com")
    assert made.events == {"status_lead", "add_lead"}
    assert not made.disabled
    assert before <= made.created_at == made.updated_at


def test_subscribing_again_adds_events_and_replacing_leaves_only_the_new_ones(subscriptions, run):
    first = run(subscriptions.subscribe("acme", APP, ["add_lead"], "a", "Books"))
    more = run(subscriptions.subscribe("acme", APP, ["add_lead", "add_task"], "b"))
    assert (more.id, more.events, more.name, more.created_by) == (first.id, {"add_lead", "add_task"}, "Books", "a")
    only = run(subscriptions.replace("acme", APP, ["note_lead"], "b", sort=7))
    assert (only.id, only.events, only.sort) == (first.id, {"note_lead"}, 7)
    assert run(subscriptions.list("acme")) == (only,)


def test_two_sources_may_have_one_address(subscriptions, run):
    acme = run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))
    other = run(subscriptions.subscribe("other", APP, ["add_task"], "a"))
    assert acme.id != other.id
    run(subscriptions.unsubscribe("acme", APP))
    assert run(subscriptions.list("other")) == (other,)
    assert run(subscriptions.sources()) == ("other",)


@pytest.mark.parametrize(
    ("url", "events", "by", "about", "left"),
    [
        (APP, ["add_lead"], "a", [APP], {APP: {"add_task"}, OTHER: {"add_lead"}}),
        (APP, ["add_lead", "add_task"], "a", [APP], {OTHER: {"add_lead"}}),
        (APP, [], "b", [APP], {OTHER: {"add_lead"}}),
        (APP, ["note_lead"], "a", [APP], {APP: {"add_lead", "add_task"}, OTHER: {"add_lead"}}),
        ("http://nobody.example/", [], "a", [], {APP: {"add_lead", "add_task"}, OTHER: {"add_lead"}}),
        (None, ["add_lead"], "a", [APP], {APP: {"add_task"}, OTHER: {"add_lead"}}),
        (None, ["add_lead"], "b", [OTHER], {APP: {"add_lead", "add_task"}}),
        (None, [], "b", [OTHER], {APP: {"add_lead", "add_task"}}),
        (None, ["note_lead"], "a", [], {APP: {"add_lead", "add_task"}, OTHER: {"add_lead"}}),
    ],
)
def test_unsubscribing(subscriptions, run, url, events, by, about, left):
    """Login a made the subscription of APP, b that of OTHER; without an address only one's own are meant."""
    run(subscriptions.subscribe("acme", APP, ["add_lead", "add_task"], "a"))
    run(subscriptions.subscribe("acme", OTHER, ["add_lead"], "b"))
    version = run(subscriptions.version())
    assert run(subscriptions.unsubscribe("acme", url, events, by)) == about
    found = run(subscriptions.list("acme"))
    assert {one.url: set(one.events) for one in found} == left
    changed = left != {APP: {"add_lead", "add_task"}, OTHER: {"add_lead"}}
    assert (run(subscriptions.version()) > version) == changed


def test_a_disabled_one_stays_until_it_is_enabled_or_subscribes_again(subscriptions, run):
    made = run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))
    assert run(subscriptions.disable(made.id, "410"))
    assert not run(subscriptions.disable(made.id, "too late"))
    disabled = run(subscriptions.get(made.id))
    assert (disabled.disabled, disabled.disabled_reason) == (True, "410")
    assert run(subscriptions.enable(made.id))
    assert not run(subscriptions.enable(made.id))
    assert not run(subscriptions.get(made.id)).disabled
    run(subscriptions.disable(made.id, "410"))
    again = run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))
    assert (again.disabled, again.disabled_reason) == (False, "")


def test_one_that_is_gone_cannot_be_switched(subscriptions, run):
    made = run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))
    run(subscriptions.unsubscribe("acme", APP))
    assert run(subscriptions.get(made.id)) is None
    assert not run(subscriptions.disable(made.id, "410"))
    assert not run(subscriptions.enable(made.id))
    anew = run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))
    assert anew.id > made.id


def test_an_account_has_at_most_100_active_ones(subscriptions, run):
    made = [run(subscriptions.subscribe("acme", f"{APP}/{n}", ["add_lead"], "a")) for n in range(MAX_ACTIVE)]
    version = run(subscriptions.version())
    with pytest.raises(LimitReached, match="100 active"):
        run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))
    assert run(subscriptions.version()) == version
    assert len(run(subscriptions.list("acme"))) == MAX_ACTIVE
    run(subscriptions.subscribe("acme", f"{APP}/0", ["add_task"], "a"))  # a known one is no new one
    run(subscriptions.subscribe("other", APP, ["add_lead"], "a"))  # another account has its own hundred
    run(subscriptions.disable(made[0].id, "410"))
    run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))  # a disabled one leaves its place
    with pytest.raises(LimitReached, match="100 active"):
        run(subscriptions.enable(made[0].id))
    with pytest.raises(LimitReached, match="100 active"):
        run(subscriptions.subscribe("acme", f"{APP}/0", ["add_task"], "a"))


def test_disabled_ones_do_not_pile_up(subscriptions, run, monkeypatch):
    monkeypatch.setattr("relay.store.subscriptions.MAX_TOTAL", 2)
    for n in range(2):
        run(subscriptions.disable(run(subscriptions.subscribe("acme", f"{APP}/{n}", ["add_lead"], "a")).id, "410"))
    with pytest.raises(LimitReached, match="disabled"):
        run(subscriptions.subscribe("acme", APP, ["add_lead"], "a"))


def test_a_killed_store_comes_back_with_them(start_server, run):
    server = start_server()

    def opened() -> Subscriptions:
        return Subscriptions(connect(server.url, answer_seconds=10))

    before = opened()
    kept = run(before.subscribe("acme", APP, ["add_lead"], "a"))
    run(before.unsubscribe("acme", run(before.subscribe("acme", OTHER, ["add_lead"], "a")).url))
    version = run(before.version())
    run(before.client.aclose())
    server.kill()
    server.start()
    after = opened()
    assert run(after.list("acme")) == (kept,)
    assert run(after.version()) == version
    run(after.client.aclose())
