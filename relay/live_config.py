"""The configuration in force in a process, with its sinks. It follows the file and the subscriptions."""

import asyncio
from collections.abc import Mapping, Sequence

from relay.config.config import Config
from relay.config.environment import ProcessSettings, environ
from relay.config.load import load_file
from relay.config.watcher import ConfigWatcher
from relay.errors import ConfigError
from relay.model import Subscription, is_subscriber
from relay.sinks.base import Sink
from relay.sinks.registry import make_sinks, sink_types
from relay.sinks.subscriber.sink import SubscriberSink, UnsubscribedSink
from relay.store.subscriptions import Subscriptions


class LiveConfig:
    """Keeps the configuration, the subscriptions and their sinks. Where a new file is invalid, the old one stays.

    The constructor raises ConfigError. There are no subscriptions until `refresh_subscriptions` has read them.
    """

    def __init__(self, settings: ProcessSettings) -> None:
        path = settings.config_path
        self._watcher = ConfigWatcher(path, lambda: load_file(path, environ=environ(), sink_types=sink_types()))
        self._sinks: Mapping[str, Sink] = make_sinks(self.config)
        self._reading = False
        self._forget_subscriptions()

    def _forget_subscriptions(self) -> None:
        self._subscriptions: Mapping[str, Sequence[Subscription]] = {}
        self._subscribers: Mapping[str, Subscription] = {}  # by their sinks
        self._subscriptions_version = 0
        self._refreshing = asyncio.Lock()

    @property
    def config(self) -> Config:
        """The last valid configuration."""
        return self._watcher.current

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks of the file by name; those of subscribers are found by `find_sink`."""
        return self._sinks

    @property
    def subscriptions(self) -> Mapping[str, Sequence[Subscription]]:
        """The subscriptions to each source, disabled ones too."""
        return self._subscriptions

    def types_of_sinks(self) -> dict[str, str]:
        """Return the type of every sink by name, the subscribers' too."""
        types = {name: sink.type for name, sink in self.sinks.items()}
        return types | dict.fromkeys(self._subscribers, SubscriberSink.type)

    def max_pending(self) -> dict[str, int]:
        """Return how many pending deliveries every sink may have, by name, the subscribers' too."""
        of_subscribers = dict.fromkeys(self.types_of_sinks(), self.config.subscribers.max_pending)
        return of_subscribers | {name: sink.max_pending for name, sink in self.sinks.items()}

    @property
    def version(self) -> tuple[str, int]:
        """A value that changes with the file and with the subscriptions."""
        return self.config.version, self._subscriptions_version

    @property
    def error(self) -> str | None:
        """Why the file as it is now was refused."""
        return self._watcher.error

    @property
    def changing(self) -> bool:
        """Whether the file was found changed, and is not in force yet."""
        return self._watcher.changing

    async def poll(self) -> bool:
        """Check the file for changes. Returns whether a new configuration is in force.

        It is read in a thread: a thousand routes take seconds, and meanwhile the loop answers hooks.
        """
        if self._reading or not self._watcher.check():
            return False
        self._reading = True
        try:
            found = await asyncio.to_thread(self._read)
        finally:
            self._reading = False
        self._watcher.end_load()
        return self._apply(found)

    def _read(self) -> tuple[Config, Mapping[str, Sink]] | Exception:
        try:
            config = self._watcher.load()
            return config, make_sinks(config)
        except Exception as error:  # noqa: BLE001  what is in force stays, and nothing else stands still
            return error

    def _apply(self, found: tuple[Config, Mapping[str, Sink]] | Exception) -> bool:
        """Put what was read in force: the configuration and its sinks at once."""
        if isinstance(found, ConfigError):
            self._watcher.refuse(found)
            return False
        if isinstance(found, Exception):
            self._watcher.fail(found)
            return False
        config, sinks = found
        if not self._watcher.take(config):
            return False
        self._sinks = sinks
        return True

    async def refresh_subscriptions(self, subscriptions: Subscriptions, version: int | None = None) -> None:
        """Read the subscriptions again where they have changed; `version`: as it was read. Raises StoreUnavailable."""
        if version is None:
            version = await subscriptions.version()
        if version != self._subscriptions_version:
            async with self._refreshing:  # one after another: what was read before replaces nothing
                await self._read_subscriptions(subscriptions)

    async def _read_subscriptions(self, subscriptions: Subscriptions) -> None:
        version = await subscriptions.version()
        if version == self._subscriptions_version:
            return
        found = {source: await subscriptions.list(source) for source in await subscriptions.sources()}
        self._subscriptions = found
        self._subscribers = {one.sink: one for listed in found.values() for one in listed}
        self._subscriptions_version = version

    async def find_sink(self, name: str, subscriptions: Subscriptions) -> Sink | None:
        """Return a sink, None where the file does not have it. A subscriber's is made of its newest record.

        Raises StoreUnavailable.
        """
        if not is_subscriber(name):
            return self.sinks.get(name)
        await self.refresh_subscriptions(subscriptions)
        subscription = self._subscribers.get(name)
        if subscription is None:
            return UnsubscribedSink(name)
        return SubscriberSink(subscription, self.config.subscribers, subscriptions)


class ShardLive(LiveConfig):
    """The same configuration with the subscriptions of another shard: each has its own, and counts their changes."""

    def __init__(self, base: LiveConfig) -> None:
        self._base = base
        self._forget_subscriptions()

    @property
    def config(self) -> Config:
        """The last valid configuration."""
        return self._base.config

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks of the file by name."""
        return self._base.sinks

    @property
    def error(self) -> str | None:
        """Why the file as it is now was refused."""
        return self._base.error

    @property
    def changing(self) -> bool:
        """Whether the file was found changed, and is not in force yet."""
        return self._base.changing

    async def poll(self) -> bool:
        """Check the file for changes. Returns whether a new configuration is in force."""
        return await self._base.poll()
