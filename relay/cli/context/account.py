"""What commands call others with: the client of a source's account, the tools of sinks."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.cli.context.environment import load_settings
from relay.cli.context.store import with_client
from relay.config.config import Source
from relay.sinks.tools import Tools
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Session

T = TypeVar("T")


def with_tools(work: Callable[[Tools], Awaitable[T]]) -> T:
    """Run something with the tools of sinks. Raises ConfigError, StoreUnavailable."""

    settings = load_settings()

    async def run(client: Redis, namespace: str) -> T:
        async with Session(proxies=settings.proxies) as session:
            shared = SharedState(client, namespace)
            return await work(Tools(session, shared, shared.clock.seconds, settings.secret_key))

    return with_client(run)


def with_account(source: Source, work: Callable[[AccountClient, Store], Awaitable[T]]) -> T:
    """Run something with the client of a source's account, and the store that has the account's limit and tokens.

    Raises ConfigError, AccountRefused, AccountUnavailable, StoreUnavailable.
    """
    settings = load_settings()

    async def run(client: Redis, namespace: str) -> T:
        async with Session(proxies=settings.proxies) as session:
            account = make_account_client(source, SharedState(client, namespace), session, settings.secret_key)
            return await work(account, Store(client, namespace))

    return with_client(run)
