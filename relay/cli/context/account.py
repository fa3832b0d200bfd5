"""What commands call others with: the client of a source's account, the tools of sinks."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis

from relay.accounts.client import AccountClient
from relay.cli.context.environment import load_settings
from relay.cli.context.store import with_client, with_store_and_reader
from relay.config.config import Source
from relay.operations.outward_calls import open_account, open_tools
from relay.sinks.tools import Tools
from relay.store.reader import Reader
from relay.store.store import Store

T = TypeVar("T")


def with_tools(work: Callable[[Tools], Awaitable[T]]) -> T:
    """Run something with the tools of sinks. Raises ConfigError, StoreUnavailable."""
    settings = load_settings()

    async def run(client: Redis, _: str) -> T:
        async with open_tools(settings, client) as tools:
            return await work(tools)

    return with_client(run)


def with_account(source: Source, work: Callable[[AccountClient, Store], Awaitable[T]]) -> T:
    """Run something with the client of a source's account, and the store that has the account's limit and tokens.

    Raises ConfigError, AccountRefused, AccountUnavailable, StoreUnavailable.
    """
    settings = load_settings()

    async def run(store: Store, reader: Reader) -> T:
        async with open_account(settings, reader, source) as account:
            return await work(account, store.of_source(source.name))

    return with_store_and_reader(run)
