"""Whose store it is: a new version of a file is no other relay, a file with none of the known sources is."""

from collections.abc import Callable

import pytest

from relay.errors import ConfigError
from relay.operations.store_owner import claim_store

ADDRESS = "redis://:a-password@store.example.com:6379/0"
Claim = Callable[..., set[str]]


@pytest.fixture
def claim(run, store) -> Claim:
    """Claim the store for sources; return those that it knows then."""

    async def claimed(sources: set[str], take_over: bool) -> set[str]:
        await claim_store(store, ADDRESS, sources, take_over=take_over)
        return await store.registered_sources()

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
    assert run(store.registered_sources()) == {"acme"}


def test_taking_over_is_remembered(claim: Claim) -> None:
    claim("acme")
    assert claim("club", take_over=True) == {"acme", "club"}
    assert claim("club") == {"acme", "club"}
