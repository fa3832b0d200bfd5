"""Open what commands work on: the environment, the configuration, the store, the sinks' tools, a source's account."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

from redis.asyncio import Redis

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.cli.display.output import print_message
from relay.config.config import Config, Source
from relay.config.environment import ProcessSettings, environ
from relay.config.load import load_file
from relay.config.suggestions import did_you_mean
from relay.embedded.server import EmbeddedStore
from relay.errors import ConfigError, StoreUnavailable
from relay.operations.store_owner import claim_store
from relay.processes.folder import UP_FOLDER, running_environ
from relay.processes.running import choose_running
from relay.processes.supervisor import NO_PROXY
from relay.sinks.registry import sink_types
from relay.sinks.tools import Tools
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Session

ANSWER_SECONDS = 10.0
T = TypeVar("T")


def nonempty_environ() -> dict[str, str]:
    """Return the environment without its empty variables, which count as not set."""
    return {name: value for name, value in environ().items() if value}


def command_environ() -> dict[str, str]:
    """Return the environment with the addresses of the relay that runs in this folder.

    Where another relay could be meant, print which one is used.
    """
    given = nonempty_environ()
    running, note = choose_running(given)
    if note:
        _print_once(note)
    # Its NO_PROXY is yours, and its fake vendors. In its own store there is nothing under another namespace.
    its_own = (NO_PROXY,) if given.get("REDIS_URL") else (NO_PROXY, "RELAY_NAMESPACE")
    return {**running, **given, **{name: value for name, value in running.items() if name in its_own}}


@cache
def _print_once(note: str) -> None:
    """Print something once in a process, on stderr: a program may read stdout."""
    print_message(note, error=True)


def load_settings() -> ProcessSettings:
    """Read the settings. Raises ConfigError."""
    return ProcessSettings.from_environ(command_environ())


def load_config() -> Config:
    """Load the configuration. Raises ConfigError."""
    return load_config_of(command_environ())


def load_config_of(variables: Mapping[str, str]) -> Config:
    """Load the configuration as a process with this environment does. Raises ConfigError."""
    return load_file(ProcessSettings.from_environ(variables).config_path, environ=variables, sink_types=sink_types())


def check_environment(*, take_over: bool) -> ProcessSettings:
    """Return the settings of this process; first check them, the configuration and whose store it is.

    Otherwise the program that follows would end with a traceback. `take_over`: another relay's store will do. One that
    is away now will be there later. Raises ConfigError.
    """
    settings = ProcessSettings.from_environ(environ())
    if settings.redis_url is None:
        raise _lacks_store(settings, ": set it to the store's address; `relay up` brings its own store")
    config = load_config_of(environ())
    with suppress(StoreUnavailable):
        asyncio.run(claim_store_of(settings, settings.redis_url, config, take_over=take_over))
    return settings


async def claim_store_of(settings: ProcessSettings, url: str, config: Config, *, take_over: bool) -> None:
    """See that a store is this relay's. Raises ConfigError where it is another's, StoreUnavailable."""
    client = connect(url, answer_seconds=ANSWER_SECONDS)
    try:
        await claim_store(Store(client, settings.namespace), url, config.sources.keys(), take_over=take_over)
    finally:
        await client.aclose()


def namespace_of_own_store() -> str:
    """Return the namespace of the store that `relay up` brings: of the one that runs, else by the environment.

    Raises ConfigError where REDIS_URL names another store.
    """
    settings = ProcessSettings.from_environ(nonempty_environ())
    running = running_environ(UP_FOLDER)
    own = EmbeddedStore(UP_FOLDER / "store").url
    if settings.redis_url is not None or running.get("REDIS_URL", own) != own:
        raise ConfigError("REDIS_URL names a store of your own: save it as its maker says. This is for `relay up`'s")
    return ProcessSettings.from_environ(running).namespace if running else settings.namespace


def choose_source(sources: Mapping[str, Source], name: str | None) -> Source:
    """Return the source of a name, or where none is given the only one. Raises ConfigError."""
    if name is None:
        if len(sources) == 1:
            return next(iter(sources.values()))
        raise ConfigError(f"--source: there are several, name one of {', '.join(sorted(sources))}")
    if name not in sources:
        raise ConfigError(f"unknown source {name}, {did_you_mean(name, sources)}")
    return sources[name]


def with_reader(work: Callable[[Reader], Awaitable[T]]) -> T:
    """Run something with a reader of the store. Raises ConfigError, StoreUnavailable."""
    return _with_client(lambda client, namespace: work(Reader(client, namespace)))


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Run something with the store. Raises ConfigError, StoreUnavailable."""
    return _with_client(lambda client, namespace: work(Store(client, namespace)))


def with_store_and_reader(work: Callable[[Store, Reader], Awaitable[T]]) -> T:
    """Run something with the store and a reader of it. Raises ConfigError, StoreUnavailable."""
    return _with_client(lambda client, namespace: work(Store(client, namespace), Reader(client, namespace)))


def with_tools(work: Callable[[Tools], Awaitable[T]]) -> T:
    """Run something with the tools of sinks. Raises ConfigError, StoreUnavailable."""

    settings = load_settings()

    async def run(client: Redis, namespace: str) -> T:
        async with Session(proxies=settings.proxies) as session:
            shared = SharedState(client, namespace)
            return await work(Tools(session, shared, time.time, settings.secret_key))

    return _with_client(run)


def with_account(source: Source, work: Callable[[AccountClient, Store], Awaitable[T]]) -> T:
    """Run something with the client of a source's account, and the store that has the account's limit and tokens.

    Raises ConfigError, AccountRefused, AccountUnavailable, StoreUnavailable.
    """
    settings = load_settings()

    async def run(client: Redis, namespace: str) -> T:
        async with Session(proxies=settings.proxies) as session:
            account = make_account_client(source, SharedState(client, namespace), session, settings.secret_key)
            return await work(account, Store(client, namespace))

    return _with_client(run)


def _with_client(work: Callable[[Redis, str], Awaitable[T]]) -> T:
    settings = load_settings()
    if settings.redis_url is None:
        raise _lacks_store(settings, ", and no relay runs in this folder: which store is meant?")
    url, namespace = settings.redis_url, settings.namespace

    async def run() -> T:
        client = connect(url, answer_seconds=ANSWER_SECONDS)
        try:
            return await work(client, namespace)
        finally:
            await client.aclose()

    return asyncio.run(run())


def _lacks_store(settings: ProcessSettings, advice: str) -> ConfigError:
    """Return the error of a command that does not know the store; in an empty folder it says what comes first."""
    path = settings.config_path
    if not Path(path).exists():
        return ConfigError(f"REDIS_URL is not set, nor is there a {path}: `relay init` writes one for `relay up`")
    return ConfigError(f"REDIS_URL is not set{advice}")
