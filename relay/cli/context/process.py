"""What a process of the relay checks before it runs."""

import asyncio
from contextlib import suppress

from relay.cli.context.configuration import load_config_of
from relay.cli.context.store import ANSWER_SECONDS, lacks_store
from relay.config.config import Config
from relay.config.environment import ProcessSettings, environ
from relay.errors import ConfigError, StoreUnavailable
from relay.operations.store_owner import claim_store
from relay.store.connect import connect
from relay.store.health import read_durability
from relay.store.store import Store


def check_environment(*, take_over: bool) -> ProcessSettings:
    """Return the settings of this process; first check them, the configuration, and the store.

    Otherwise the program that follows would end with a traceback. `take_over`: another relay's store will do. One that
    is away now will be there later. Raises ConfigError.
    """
    settings = ProcessSettings.from_environ(environ())
    if settings.redis_url is None:
        raise lacks_store(settings, ": set it to the store's address; `relay up` brings its own store")
    config = load_config_of(environ())
    with suppress(StoreUnavailable):
        asyncio.run(claim_store_of(settings, settings.redis_url, config, take_over=take_over))
    return settings


async def claim_store_of(settings: ProcessSettings, url: str, config: Config, *, take_over: bool) -> None:
    """See that a store is this relay's, and what is wanted of one. Raises ConfigError, StoreUnavailable."""
    client = connect(url, answer_seconds=ANSWER_SECONDS)
    store = Store(client, settings.namespace)
    try:
        await claim_store(store, url, config.sources.keys(), take_over=take_over)
        if settings.durability == "strict":
            weakness = (await read_durability(client, store.keys.probe)).weakness
            if weakness:
                raise ConfigError(f"RELAY_DURABILITY=strict: {weakness}")
    finally:
        await client.aclose()
