"""The interface of a sink. A new sink is a folder in `relay.sinks` with a subclass; docs/contributing.md shows how."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

import msgspec

from relay.config.findings import format_value
from relay.config.sink import SinkSettings
from relay.masking import is_unmistakable
from relay.model import Decision, Delivery, Json, Outcome, Record, Result
from relay.retrying import decide
from relay.sinks.tools import Tools

MAX_RESPONSE: Final = 500
"""How many characters of an answer are kept in `Result.response`."""

SettingsType: TypeAlias = type[SinkSettings]  # inside Sink `type` is the sink's own name


class ProbeResult(Record):
    """The result of a probe. `message` says to a person what is wrong and what to do, or that all is well."""

    ok: bool
    message: str


class Sink(ABC):
    """One configured sink. Created again when its configuration changes, so it may prepare what its settings allow."""

    type: ClassVar[str]
    """Its `type` in the YAML."""
    Settings: ClassVar[SettingsType]
    """The model of its part of the YAML."""
    content_keys: ClassVar[Mapping[str, bool]]
    """The content keys that a route may give it -> whether they are required."""
    takes_all_keys: ClassVar[bool] = False
    """Whether a route may also give it the content keys of every other type: for trying a route out."""
    exclusive_keys: ClassVar[tuple[frozenset[str], ...]] = ()
    """Sets of content keys of which a route may give only one."""
    context_params: ClassVar[Mapping[str, str]] = {}
    """Parameters of `content` that are template variables and not the route's keys: parameter -> variable."""
    skip_if_missing: ClassVar[frozenset[str]] = frozenset()
    """Content keys whose missing value means that there is nobody to deliver to: skipped instead of dead."""

    lookup_after_ms: ClassVar[int] = 15_000
    """How long it may take until `lookup` finds what they accepted."""
    batch: int = 1
    """How many deliveries one call may take. More than one only for a sink that is safe to repeat."""
    batch_from: int = 2
    """How many deliveries must wait before they are sent in one call."""

    varying_keys: ClassVar[Mapping[str, str]] = {}
    """Content keys, such as `fields.email`, that must differ from event to event -> what follows where they do not."""

    def __init__(self, name: str, settings: SinkSettings) -> None:
        self.name = name
        self.policy = msgspec.structs.replace(settings.policy, lookup_after_ms=self.lookup_after_ms)
        self._looks_up = settings.looks_up
        self.limits = settings.limits(name)
        self.max_pending = settings.max_pending
        self.may_refuse = type(self).admit is not Sink.admit  # by rules of its own, which `admit` asks
        self.breaker = settings.breaker_limits
        self.concurrency = settings.concurrency
        self.timeout_ms = settings.timeout
        self.proxy = settings.proxy
        from relay.transport import Asker  # where the classes are only asked for their settings, nothing is called

        self.asker = Asker(sink=name)
        self.hidden = tuple(filter(None, dict.fromkeys(settings.hidden_values())))  # to be masked in what others say
        self.hidden_anywhere = tuple(filter(is_unmistakable, self.hidden))  # and in what we say: no word of ours is one

    @classmethod
    def check_constant(cls, key: str, value: object) -> str | None:
        """Return why the value of a content key must not be the same for every event; None where it may."""
        if key not in cls.varying_keys:
            return None
        return f"{format_value(value)} is the same for every event, so {cls.varying_keys[key]}"

    def repeatable(self, _delivery: Delivery) -> bool:
        """Return whether a repetition does no harm; else each is marked durably before its bytes leave. Pure."""
        return self.policy.on_unknown == "retry"

    @property
    def remark(self) -> str:
        """Return what a person who probes the sink should know of its settings; "" where there is nothing."""
        return ""

    @property
    def looks_up(self) -> bool:
        """Return whether `lookup` can say what became of an earlier attempt."""
        return self._looks_up

    @property
    def send_timeout_ms(self) -> int:
        """Return how long `send` or `send_batch` may take. The last part of a batch begins within the timeout."""
        return self.timeout_ms * 2 if self.batch > 1 else self.timeout_ms

    @property
    def lease_ms(self) -> int:
        """Return how long a whole attempt may take, its look-up included."""
        return self.send_timeout_ms + self.timeout_ms if self.looks_up else self.send_timeout_ms

    @abstractmethod
    def content(self, params: Mapping[str, object]) -> bytes:
        """Return the content to store for a route's rendered keys: what every attempt sends, without credentials.

        Pure. Raise RejectDelivery where these values can never be delivered, SkipDelivery where there is nobody to
        deliver to.
        """

    async def admit(self, _delivery: Delivery, _tools: Tools) -> Result | None:
        """Return why a delivery must not be sent now by the sink's own rules, such as hours or quotas; None: it may.

        Called before the delivery is marked as sending. Where it returns a result, `send` is not called.
        """
        return None

    @abstractmethod
    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt and return its result. Never raise for what the other side or the network does.

        StoreUnavailable may be raised while nothing has been sent.
        """

    async def send_batch(self, deliveries: Sequence[Delivery], tools: Tools) -> list[Result]:
        """Send the deliveries of one claim and return their results, in the same order. For sinks with a `batch`.

        One call is granted with the claim; every further one needs a grant (`relay.sinks.attempt_calls`).
        """
        return [await self.send(delivery, tools) for delivery in deliveries]

    def erasure(self, _content: bytes) -> bytes | None:
        """Return the content that asks them to forget whom an earlier content named; None: it cannot be asked. Pure."""
        return None

    async def lookup(self, _delivery: Delivery, _tools: Tools) -> Result:
        """Return what became of an earlier attempt that may have been applied. For sinks that look up.

        Delivered: it is there. Retry: it is not, so it is sent now. Throttled: ask again later. Unknown: they cannot
        tell, so a person must decide. Rejected and blocked mean the same as in `send`.
        """
        return Result(outcome=Outcome.UNKNOWN, reason="this sink cannot look up what arrived")

    async def probe(self, _tools: Tools) -> ProbeResult | None:
        """Check address, credentials and settings by a call that is free and changes nothing. None: there is none."""
        return None

    def decide(
        self,
        result: Result,
        *,
        attempts: int,
        age_ms: int,
        jitter: float,
        looked_up: bool = False,
        at_fault: bool = False,
    ) -> Decision:
        """Return what happens next: by default what `relay.retrying.decide` says under the sink's policy. Pure."""
        return decide(
            result,
            attempts=attempts,
            age_ms=age_ms,
            policy=self.policy,
            jitter=jitter,
            looked_up=looked_up,
            at_fault=at_fault,
        )

    @abstractmethod
    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return what would be sent, for people to read, secrets masked."""
