"""What an operator's act calls others with: the client of a source's account, the tools of sinks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.config.config import Source
from relay.config.environment import ProcessSettings
from relay.sinks.tools import Tools
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.transport import Session


@asynccontextmanager
async def open_account(settings: ProcessSettings, reader: Reader, source: Source) -> AsyncIterator[AccountClient]:
    """Open the client of a source's account, with the limit and the tokens that its shard has of it.

    Raises ConfigError where the source has no api.
    """
    own = reader.of_source(source.name)
    async with Session(proxies=settings.proxies) as session:
        yield make_account_client(source, SharedState(own.client, own.namespace), session, settings.secret_key)


@asynccontextmanager
async def open_tools(settings: ProcessSettings, client: Redis) -> AsyncIterator[Tools]:
    """Open the tools of sinks."""
    shared = SharedState(client, settings.namespace)
    async with Session(proxies=settings.proxies) as session:
        yield Tools(session, shared, shared.clock.seconds, settings.secret_key)
