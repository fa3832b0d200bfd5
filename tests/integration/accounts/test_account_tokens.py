"""OAuth with refresh tokens that work once, for any number of workers."""

import asyncio

import pytest

from relay.errors import AccountRefused

USERS = "/api/v4/users"


async def every(*clients, times: int = 1):
    return await asyncio.gather(*(client.get(USERS) for client in clients for _ in range(times)))


def test_the_first_request_exchanges_the_configured_token(client, run, served):
    assert run(client(oauth=True).get(USERS))
    assert served.amocrm.tokens.refreshes == 1


def test_an_expired_token_is_renewed_once_for_all_workers(client, run, served):
    """Two workers, three requests each, and not one refresh token is used twice."""
    first, second = client(oauth=True), client(oauth=True)
    run(every(first, second))
    assert served.amocrm.tokens.refreshes == 1
    served.amocrm.tokens.expire()  # both still believe in it
    assert all(run(every(first, second, times=3)))
    assert (served.amocrm.tokens.refreshes, served.amocrm.tokens.refused) == (2, 0)


def test_a_token_that_expires_soon_is_renewed_before_it_is_used(client, run, served):
    served.amocrm.tokens.lifetime = 30
    worker = client(oauth=True)
    run(worker.get(USERS))
    run(worker.get(USERS))
    assert served.amocrm.tokens.refreshes == 2
    assert served.amocrm.api.request_counts[f"GET {USERS}"] == 2  # none was refused


def test_a_worker_that_starts_later_finds_the_tokens_in_the_store(client, run, served):
    run(client(oauth=True).get(USERS))
    assert run(client(oauth=True).get(USERS))
    assert served.amocrm.tokens.refreshes == 1


def test_both_tokens_are_encrypted_in_the_store(client, run, server, namespace):
    worker = client(oauth=True)
    run(worker.get(USERS))
    values = run(_values(worker, namespace))
    assert values
    assert not [value for value in values if b"sandbox-" in value]


async def _values(worker, namespace):
    client = worker._limiter._shared._client
    return [await client.get(key) for key in await client.keys(f"{{{namespace}}}:note:*")]


def test_a_refresh_token_that_is_refused_is_tried_once_and_explained(client, run, served):
    first, second = client(oauth=True), client(oauth=True)
    served.amocrm.tokens.revoke()
    for worker in (first, second, first):
        with pytest.raises(AccountRefused) as caught:
            run(worker.get(USERS))
    assert str(caught.value) == (
        "renewing the token of acme: amoCRM refuses with 400: Некорректный запрос; Token has been revoked. The refresh "
        "token of acme was used before, has expired or was revoked: authorise the integration again and write its new "
        "sources.acme.api.oauth.refresh_token"
    )
    assert served.amocrm.tokens.refused == 1


def test_a_new_refresh_token_in_the_configuration_wins(client, run, served):
    run(client(oauth=True).get(USERS))
    served.amocrm.tokens.revoke()
    with pytest.raises(AccountRefused):
        run(client(oauth=True).get(USERS))
    served.amocrm.tokens._refresh = "authorised-again"
    assert run(client(oauth=True, refresh="authorised-again").get(USERS))


def test_another_key_is_an_error_and_nothing_is_lost(client, run, served):
    run(client(oauth=True).get(USERS))
    with pytest.raises(AccountRefused, match="encrypted with another RELAY_SECRET_KEY"):
        run(client(secret_key="another key, as long as the first one", oauth=True).get(USERS))
    assert run(client(oauth=True).get(USERS))
    assert (served.amocrm.tokens.refreshes, served.amocrm.tokens.refused) == (1, 0)


def test_a_long_lived_token_that_expired_is_explained(client, run, served):
    served.amocrm.tokens.revoke()
    with pytest.raises(AccountRefused) as caught:
        run(client().get(USERS))
    assert str(caught.value) == (
        "amoCRM does not accept the token of acme any more: it has expired or was revoked. "
        "Make a new long-lived token and write it into sources.acme.api.token"
    )
    assert served.amocrm.api.request_counts[f"GET {USERS}"] == 1


def test_a_token_that_is_refused_right_after_it_was_renewed_is_given_up(client, run, served):
    worker = client(oauth=True)
    run(worker.get(USERS))
    served.amocrm.tokens.known = lambda *_: False
    with pytest.raises(AccountRefused, match="refuses with 401"):
        run(worker.get(USERS))
    assert served.amocrm.tokens.refreshes == 2
