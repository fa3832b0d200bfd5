"""What every sink is. A new sink is one file with one subclass, named once in `relay.sinks.TYPES`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

import msgspec

from relay.config.sink import SinkSettings
from relay.model import Decision, Delivery, Json, Outcome, Record, Result
from relay.retrying import decide
from relay.sinks.tools import Tools

SettingsType: TypeAlias = type[SinkSettings]  # inside Sink `type` is the sink's own name


class Probe(Record):
    """What a free call came to: `said` tells a person what is wrong, or that all is well."""

    ok: bool
    said: str


class Sink(ABC):
    """One configured sink. Made again when its configuration changes, so it may prepare whatever settings allow."""

    type: ClassVar[str]
    """Its name in the YAML."""
    Settings: ClassVar[SettingsType]
    content_keys: ClassVar[Mapping[str, bool]]
    """The keys a route may give it -> whether the route must."""
    exclusive_keys: ClassVar[tuple[frozenset[str], ...]] = ()
    """Of each set a route may give one."""
    given: ClassVar[Mapping[str, str]] = {}
    """What `content` is given beside a route's keys: its name there -> the variable of the templates that it is."""
    skip_without: ClassVar[frozenset[str]] = frozenset()
    """Places whose missing value means nobody to deliver to (skipped), and no fault of the route (rejected)."""

    lookup_after_ms: ClassVar[int] = 15_000
    """How long what they accepted may take to be found by `lookup`."""
    batch: int = 1
    """How many deliveries one call may take: only for a sink that is harmless to repeat."""
    batch_from: int = 2
    """From how many that wait on it pays to send them in one call."""

    def __init__(self, name: str, settings: SinkSettings) -> None:
        self.name = name
        self.policy = msgspec.structs.replace(settings.policy, lookup_after_ms=self.lookup_after_ms)
        self._looks_up = settings.looks_up
        self.limits = settings.limits(name)
        self.concurrency = settings.concurrency
        self.timeout_ms = settings.timeout

    @property
    def unsafe(self) -> bool:
        """Return whether a repeat may double: then the delivery is marked as sending before its bytes leave."""
        return self.policy.on_unknown != "retry"

    @property
    def looks_up(self) -> bool:
        """Return whether `lookup` can say what became of an earlier attempt."""
        return self._looks_up

    @property
    def longest_ms(self) -> int:
        """How long `send` or `send_batch` may take. A batch may go in parts, the last one begun within the timeout."""
        return self.timeout_ms * 2 if self.batch > 1 else self.timeout_ms

    @property
    def lease_ms(self) -> int:
        """How long all of an attempt may take."""
        return self.longest_ms + self.timeout_ms if self.looks_up else self.longest_ms

    @abstractmethod
    def content(self, params: Mapping[str, object]) -> bytes:
        """Make the content to store from a route's rendered keys: no credentials, the very bytes of every attempt.

        Pure. Raise RejectDelivery or SkipDelivery where these values can never be delivered.
        """

    async def admit(self, _delivery: Delivery, _tools: Tools) -> Result | None:
        """Return why a delivery must not be sent now, by a policy of our own; None: it may.

        Asked before it is marked as sending. With a result nothing has left, and none of `send` follows.
        """
        return None

    @abstractmethod
    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt and say what it came to. Never raise for what the other side or the network does.

        StoreUnavailable may pass while nothing has left.
        """

    async def send_batch(self, deliveries: Sequence[Delivery], tools: Tools) -> list[Result]:
        """Send deliveries that one claim took, and say what each came to, in their order. For sinks with a `batch`.

        One call is granted; for each further one it asks `tools.shared.grant`.
        """
        return [await self.send(delivery, tools) for delivery in deliveries]

    async def lookup(self, _delivery: Delivery, _tools: Tools) -> Result:
        """Return what became of an earlier attempt that may have been applied. For sinks that look up.

        Delivered: it is there. Retry: it is not, so it is sent now. Throttled: ask again later. Unknown: there is no
        telling, a person must decide. Rejected and blocked as ever.
        """
        return Result(outcome=Outcome.UNKNOWN, reason="this sink cannot look up what arrived")

    async def probe(self, _tools: Tools) -> Probe | None:
        """Find out by a free call whether all is well. None: there is no free call."""
        return None

    def decide(self, result: Result, *, attempts: int, age_ms: int, jitter: float, looked_up: bool = False) -> Decision:
        """Return what happens next, as `relay.retrying.decide` does by the sink's policy. Pure."""
        policy = self.policy
        return decide(result, attempts=attempts, age_ms=age_ms, policy=policy, jitter=jitter, looked_up=looked_up)

    @abstractmethod
    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show what would be sent, secrets masked."""
