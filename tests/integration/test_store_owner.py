"""Whose store it is: a new version of a file is no other relay, a file with none of the known sources is."""

import asyncio
from collections.abc import Callable

import pytest
import redis.exceptions
from structlog.testing import capture_logs

from relay.config.environment import ProcessSettings
from relay.errors import ConfigError
from relay.live_config import LiveConfig
from relay.operations.store_admission import StoreAdmission
from relay.operations.store_owner import claim_store
from relay.store.fields import LifeField
from relay.store.formats import FORMAT
from tests.listening import not_listening
from workers.admission import wait_until_admitted
from workers.ticker import Ticker

ADDRESS = "redis://:a-password@store.example.com:6379/0"
Claim = Callable[..., set[str]]


@pytest.fixture
def claim(run, store) -> Claim:
    """Claim the store for sources; return those that it knows then."""

    async def claimed(sources: set[str], take_over: bool) -> set[str]:
        await claim_store(store, ADDRESS, sources, take_over=take_over)
        return await store.registry.sources()

    return lambda *sources, take_over=False: run(claimed(set(sources), take_over))


def test_versions_that_share_a_source_share_the_store(claim: Claim) -> None:
    assert claim("acme", "shop") == {"acme", "shop"}
    assert claim("shop", "club") == {"acme", "shop", "club"}  # a rolling deploy: one is gone, one new
    assert claim("acme", "shop") == {"acme", "shop", "club"}  # and those that still run the old one


def test_one_that_shares_none_is_refused_and_changes_nothing(run, store, claim: Claim) -> None:
    claim("acme")
    with pytest.raises(ConfigError) as error:
        claim("club", "shop")
    message = str(error.value)
    assert message.startswith("the store redis://store.example.com:6379 is another relay's, under RELAY_NAMESPACE=")
    assert "it knows acme, and the file has only club, shop" in message
    assert "a-password" not in message
    assert run(store.registry.sources()) == {"acme"}


def test_taking_over_is_remembered(claim: Claim) -> None:
    claim("acme")
    assert claim("club", take_over=True) == {"acme", "club"}
    assert claim("club") == {"acme", "club"}


def test_a_store_of_a_newer_format_is_refused_and_left_as_it_is(run, store, claim: Claim) -> None:
    claim("acme")
    run(store.client.hset(store.keys.life, LifeField.FORMAT, FORMAT + 1))
    with pytest.raises(ConfigError) as error:
        claim("acme", "shop", take_over=True)
    assert str(error.value).startswith(
        f"a newer release has written to the store, in format {FORMAT + 1}; this one knows format {FORMAT}"
    )
    assert run(store.registry.sources()) == {"acme"}


def test_the_format_is_written_and_never_lowered(run, store, reader, claim: Claim) -> None:
    claim("acme")
    assert run(reader.life()).format == FORMAT
    run(store.client.hset(store.keys.life, LifeField.FORMAT, FORMAT + 1))
    run(store.registry.add_sinks({"log": "log"}))
    assert run(reader.life()).format == FORMAT + 1


def test_a_worker_begins_nothing_in_a_store_of_a_newer_format(run, store, until, tmp_path) -> None:
    path = tmp_path / "relay.yaml"
    path.write_text("sources:\n  acme: {type: amocrm, token: test-token}\n")
    started: list[str] = []
    live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))
    ticker = Ticker("w1", live, store, started.append, not_listening())
    run(store.enqueue_job("retention", "retention"))
    run(store.client.hset(store.keys.life, LifeField.FORMAT, FORMAT + 1))
    with pytest.raises(ConfigError, match="a newer release has written to the store"):
        run(ticker.look())
    assert started == []
    run(store.client.hset(store.keys.life, LifeField.FORMAT, FORMAT))
    until(lambda: run(ticker.look()) or started)  # the look before has left it to itself for a moment
    assert started == ["jobs"]


def test_a_store_that_was_away_at_the_start_is_looked_at_before_anything_is_taken(run, store, monkeypatch) -> None:
    run(store.registry.add_sources(["club"]))
    settings = ProcessSettings.from_environ({})
    admission = StoreAdmission(store, ADDRESS, lambda: {"acme"}, settings)
    seen: list[str] = []

    async def away_once(*arguments: object) -> list[bytes | None]:
        monkeypatch.undo()
        raise redis.exceptions.ConnectionError("it is away")

    async def replace_the_other_relay() -> None:
        while "it knows club" not in admission.refusal:  # noqa: ASYNC110  it has no event
            await asyncio.sleep(0.01)
        seen.append(admission.refusal)
        await store.registry.add_sources(["acme"])

    async def start() -> None:
        await asyncio.gather(wait_until_admitted(admission, lambda: False), replace_the_other_relay())

    monkeypatch.setattr(store.client, "hmget", away_once)
    with capture_logs() as lines:
        run(start())
    assert [line["event"] for line in lines] == ["ticker.paused", "store.refused"]
    assert len(seen) == 1
    assert admission.refusal == ""


def test_taking_over_may_be_said_in_the_environment(run, store) -> None:
    run(store.registry.add_sources(["club"]))
    settings = ProcessSettings.from_environ({"RELAY_TAKE_OVER": "1"})
    assert run(StoreAdmission(store, ADDRESS, lambda: {"acme"}, settings).admit())
    assert run(store.registry.sources()) == {"acme", "club"}
