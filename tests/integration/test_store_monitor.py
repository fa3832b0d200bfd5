"""The web process's view of the store, and of the configuration beside it."""

import itertools

import pytest
import redis.exceptions
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.operations.store_admission import StoreAdmission
from relay.store.fields import LifeField
from relay.store.formats import FORMAT
from relay.web.store_monitor import StoreMonitor

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
"""


@pytest.fixture
def live(tmp_path) -> LiveConfig:
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    return LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))


@pytest.fixture
def admission(store, live) -> StoreAdmission:
    settings = ProcessSettings.from_environ({})
    return StoreAdmission(store, "redis://store.example.com", lambda: live.config.sources.keys(), settings)


def test_no_hook_is_stored_before_it_is_known_whose_store_it_is(
    run, store, reader, live, admission, monkeypatch
) -> None:
    run(store.registry.add_sources(["club"]))
    monitor = StoreMonitor(reader, live, admission)
    assert monitor.refusal == "it is not known yet whose store it is"

    async def away(*_: object, **__: object) -> None:
        raise redis.exceptions.ConnectionError("it is away")

    with monkeypatch.context() as patched:
        patched.setattr(store.client, "hmget", away)  # when the process starts
        run(monitor.check())
    assert monitor.refusal == "it is not known yet whose store it is"
    with capture_logs() as lines:
        run(monitor.check())
        run(monitor.check())
    assert "it knows club, and the file has only acme" in monitor.refusal
    assert monitor.problem == monitor.refusal
    assert [line["event"] for line in lines] == ["store.refused"]
    run(store.registry.add_sources(["acme"]))  # what --take-over does
    run(monitor.check())
    assert (monitor.refusal, monitor.problem) == ("", None)


def test_no_hook_is_stored_once_a_newer_release_writes_to_the_store(run, store, reader, live, admission) -> None:
    monitor = StoreMonitor(reader, live, admission, clock=itertools.count(step=60).__next__)
    run(monitor.check())
    assert monitor.refusal == ""
    run(store.client.hset(store.keys.life, LifeField.FORMAT, FORMAT + 1))
    run(monitor.check())
    assert "a newer release has written to the store" in monitor.refusal


def test_an_answer_that_nobody_expected_is_told_and_ends_nothing(run, reader, live, admission, monkeypatch) -> None:
    monitor = StoreMonitor(reader, live, admission)
    run(monitor.check())
    assert monitor.problem is None

    async def refuse(*_: object) -> None:
        raise ResponseError("NOPERM this user has no permissions to run the 'info' command")

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(reader.client, "info", refuse)
        run(monitor.check())
    assert "NOPERM" in (monitor.problem or "")
    assert [line["event"] for line in lines] == ["store.away"]
    run(monitor.check())
    assert monitor.problem is None
