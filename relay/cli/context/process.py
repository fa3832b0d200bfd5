"""What a process of the relay checks before it runs."""

import asyncio
import os
from contextlib import suppress

from relay.cli.context.configuration import load_config_of
from relay.cli.context.store import ANSWER_SECONDS, lacks_store
from relay.config.config import Config
from relay.config.environment import TAKE_OVER, ProcessSettings, environ
from relay.errors import StoreUnavailable
from relay.operations.store_owner import claim_store
from relay.store.connect import connect
from relay.store.store import Store


def check_environment(*, take_over: bool) -> ProcessSettings:
    """Return the settings of this process; first check them, the configuration, and the store.

    Otherwise the program that follows would end with a traceback. `take_over`: another relay's store will do. One that
    is away now will be there later, and the process looks then. Raises ConfigError.
    """
    settings = ProcessSettings.from_environ(environ())
    if settings.redis_url is None:
        raise lacks_store(settings, ": set it to the store's address; `relay up` brings its own store")
    config = load_config_of(environ())
    if take_over:
        os.environ[TAKE_OVER] = "1"  # for the program that follows: the store may be away now
    with suppress(StoreUnavailable):
        asyncio.run(claim_store_of(settings, settings.redis_url, config, take_over=take_over))
    return settings


async def claim_store_of(settings: ProcessSettings, url: str, config: Config, *, take_over: bool) -> None:
    """See that a store is this relay's, and what is wanted of one. Raises ConfigError, StoreUnavailable."""
    client = connect(url, answer_seconds=ANSWER_SECONDS)
    take_over, strict = take_over or settings.take_over, settings.durability == "strict"
    try:
        store = Store(client, settings.namespace)
        await claim_store(store, url, config.sources.keys(), take_over=take_over, strict=strict)
    finally:
        await client.aclose()
