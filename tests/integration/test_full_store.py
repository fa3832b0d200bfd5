"""A full store is worked off: whatever works in it needs no room."""

import pytest

from relay.config.environment import ProcessSettings
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.store.connect import connect
from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.store.store import Store
from tests.integration.store.shapes import hook, new, routed
from tests.listening import not_listening
from workers.jobs import JobRunner
from workers.ticker import Ticker

HOUR = 3_600_000
CONFIG = "sources:\n  acme: {type: amocrm, token: long-enough}\nsinks:\n  books: {type: log}\n"


@pytest.fixture
def full(start_server, run):
    """A store without any room, in which a delivery is due."""
    store = Store(connect(start_server().url, answer_seconds=10))
    run(store.accept([hook("r0", b"first")]))
    (receipt,) = run(store.claim_receipts("router", 1, HOUR)).items
    run(store.save_routed("router", [routed(receipt, new("d0", "r0"))]))

    run(store.accept([hook("r1", b"second")]))
    run(store.clear_bell(INBOX))
    run(store.client.config_set("maxmemory", "512kb"))  # less than the server itself takes
    with pytest.raises(StoreUnavailable, match="memory"):
        run(store.accept([hook("r2", b"third")]))
    yield store
    run(store.client.aclose())


@pytest.fixture
def live(tmp_path):
    """Return a configuration that no store has seen yet."""
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    return LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))


def test_a_ticker_to_which_the_file_is_new_begins_and_registers_it(run, full, live):
    started = []
    ticker = Ticker("w1", live, full, started.append, not_listening())
    run(ticker.look())
    run(ticker.look())
    assert {INBOX, sink_queue("books"), JOBS} <= set(started)
    assert run(Reader(full.client).registered_sinks()) == ["books"]
    assert run(full.registry.sources()) == {"acme"}


def test_tokens_and_locks_are_written_too(run, full):
    shared = SharedState(full.client)

    async def made() -> bytes:
        await shared.put("token", b"new", HOUR)
        return b"new"

    assert run(shared.find_or_make(lambda: shared.get("token"), made, lock="refresh", lock_ms=HOUR)) == b"new"
    assert run(shared.get("token")) == b"new"


class TestEmptied:
    """A store from which all was deleted is told again what runs for ever."""

    @pytest.mark.parametrize("lost", ["everything", "one job"])
    def test_the_jobs_come_back_by_themselves(self, run, store, reader, live, lost):
        ticker = Ticker("w1", live, store, lambda queue: None, not_listening())
        run(ticker.look())
        due = run(store.client.zrange(store.keys.due(JOBS), 0, -1))
        assert b"retention" in due
        if lost == "everything":
            run(store.client.delete(*run(store.client.keys(store.keys.prefix + "*"))))
        else:
            run(store.client.delete(store.keys.job("retention")))
            run(store.client.zrem(store.keys.due(JOBS), "retention"))
        run(ticker.look())
        assert set(run(store.client.zrange(store.keys.due(JOBS), 0, -1))) == set(due)
        assert run(reader.registered_sinks()) == ["books"]
        assert run(store.registry.sources()) == {"acme"}

    def test_retention_forgets_subscriptions_that_went_with_it(self, run, store, reader, live):
        """A worker that still knows them reads them again first: what it knew before is gone."""
        run(store.subscriptions.subscribe("acme", "https://app.example.com", ["add_lead"], "anna"))
        run(live.refresh_subscriptions(store.subscriptions))
        assert "sub-1" in live.types_of_sinks()
        run(store.client.delete(*run(store.client.keys(store.keys.prefix + "*"))))
        run(store.registry.add_sinks({"sub-1": "subscriber", "books": "http"}))  # by a worker that had not noticed yet
        run(store.enqueue_job("retention", "retention"))
        run(JobRunner(live, store, "w1", lambda: False, {})._run_next())
        assert run(reader.registered_sinks()) == ["books"]
        assert "sub-1" not in live.types_of_sinks()
        assert run(reader.jobs()) == (1, 0)  # and the job goes on
