"""What every sink is. A new sink is one file with one subclass, named once in `relay.sinks.TYPES`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import aiohttp

from relay.config.sink import SinkSettings
from relay.model import Decision, Delivery, Json, Result
from relay.retrying import decide

SettingsType: TypeAlias = type[SinkSettings]  # inside Sink `type` is the sink's own name


class Sink(ABC):
    """One configured sink. Made again when its configuration changes, so it may prepare whatever settings allow."""

    type: ClassVar[str]
    """Its name in the YAML."""
    Settings: ClassVar[SettingsType]
    content_keys: ClassVar[Mapping[str, bool]]
    """The keys a route may give it -> whether the route must."""
    exclusive_keys: ClassVar[tuple[frozenset[str], ...]] = ()
    """Of each set a route may give one."""
    skip_without: ClassVar[frozenset[str]] = frozenset()
    """Places whose missing value means nobody to deliver to (skipped), and no fault of the route (rejected)."""

    def __init__(self, name: str, settings: SinkSettings) -> None:
        self.name = name
        self.policy = settings.policy
        self.limits = settings.limits(name)
        self.concurrency = settings.concurrency
        self.timeout_ms = settings.timeout

    @property
    def unsafe(self) -> bool:
        """Tell whether a repeat may double: then the delivery is marked as sending before its bytes leave."""
        return self.policy.on_unknown != "retry"

    @abstractmethod
    def content(self, params: Mapping[str, object]) -> bytes:
        """Make the content to store from a route's rendered keys: no credentials, the very bytes of every attempt.

        Pure. Raise RejectDelivery or SkipDelivery where these values can never be delivered.
        """

    @abstractmethod
    async def send(self, delivery: Delivery, session: aiohttp.ClientSession) -> Result:
        """Make one attempt and say what it came to. Never raise for what the other side or the network does."""

    def decide(self, result: Result, *, attempts: int, age_ms: int, jitter: float) -> Decision:
        """Say what happens next, as `relay.retrying.decide` does by the sink's policy. Pure."""
        return decide(result, attempts=attempts, age_ms=age_ms, policy=self.policy, jitter=jitter)

    @abstractmethod
    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show what would be sent, secrets masked."""
