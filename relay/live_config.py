"""The configuration a process works by right now, with its sinks made; it follows the file."""

import gc
from collections.abc import Mapping, Sequence

from relay.config.config import Config
from relay.config.environment import Settings, environ
from relay.config.load import load_file
from relay.config.watcher import ConfigWatcher
from relay.model import Subscription
from relay.sinks.base import Sink
from relay.sinks.registry import sink_types
from relay.sinks.subscriber.sink import SubscriberSink, UnsubscribedSink, is_subscriber
from relay.store.subscriptions import Subscriptions


class LiveConfig:
    """Configuration, subscriptions and their sinks. An invalid new file is reported and the old one stays.

    Raises ConfigError at first. There are no subscriptions until `follow` has read them.
    """

    def __init__(self, settings: Settings) -> None:
        path = settings.config_path
        self._watcher = ConfigWatcher(path, lambda: load_file(path, environ=environ(), sink_types=sink_types()))
        self._sinks: Mapping[str, Sink] = make_sinks(self.config)
        self._subscribed: Mapping[str, Sequence[Subscription]] = {}
        self._subscriptions_version = 0

    @property
    def config(self) -> Config:
        """The last valid configuration."""
        return self._watcher.current

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks of the file by name; the subscribers' are asked for by `sink_of`."""
        return self._sinks

    @property
    def subscribed(self) -> Mapping[str, Sequence[Subscription]]:
        """The subscriptions to each source, disabled ones too."""
        return self._subscribed

    def sink_types(self) -> dict[str, str]:
        """Return the type of every sink by name, the subscribers' too."""
        outside = (subscription.sink for of_source in self._subscribed.values() for subscription in of_source)
        return {name: sink.type for name, sink in self._sinks.items()} | dict.fromkeys(outside, SubscriberSink.type)

    @property
    def version(self) -> tuple[str, int]:
        """What changes with the file and with the subscriptions."""
        return self.config.version, self._subscriptions_version

    @property
    def error(self) -> str | None:
        """What is wrong with the file as it is now."""
        return self._watcher.error

    def poll(self) -> bool:
        """Look at the file; return whether a new configuration is in force."""
        if self._watcher.poll() is None:
            return False
        self._sinks = make_sinks(self.config)
        return True

    async def refresh_subscriptions(self, subscriptions: Subscriptions) -> None:
        """Read the subscriptions where they changed. Raises StoreUnavailable."""
        version = await subscriptions.version()
        if version == self._subscriptions_version:
            return
        self._subscribed = {source: await subscriptions.list(source) for source in await subscriptions.sources()}
        self._subscriptions_version = version

    async def find_sink(self, name: str, subscriptions: Subscriptions) -> Sink | None:
        """Return a sink, a subscriber's as its record is now; None: not in this file. Raises StoreUnavailable."""
        if not is_subscriber(name):
            return self._sinks.get(name)
        await self.refresh_subscriptions(subscriptions)
        found = (s for of_source in self._subscribed.values() for s in of_source if s.sink == name)
        subscription = next(found, None)
        if subscription is None:
            return UnsubscribedSink(name)
        return SubscriberSink(subscription, self.config.subscribers, subscriptions)


def make_sinks(config: Config) -> dict[str, Sink]:
    """Make the sinks of a configuration."""
    return {name: sink_types()[settings.type](name, settings) for name, settings in config.sinks.items()}


def freeze_startup_objects() -> None:
    """Take what is there for good out of the garbage collector's sight, once a process is composed.

    Going through all modules again and again cost hooks 50 ms at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
