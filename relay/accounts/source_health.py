"""The health of a source: whether it is silent for its own rhythm, and the state of its hook in amoCRM."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from relay.model import Record
from relay.store.reader import Reader
from relay.store.shared_state import SharedState

if TYPE_CHECKING:  # with it goes the client of the account, and the problems of a source are read without
    from relay.accounts.hooks import AccountHook

MAX_GAPS: Final = 50  # the newest ones, whose median is the rhythm
MIN_GAPS: Final = 5  # with fewer there is no rhythm yet
SILENCE_FACTOR: Final = 5  # times the median gap is silence
MIN_SILENCE_MS: Final = 15 * 60_000
_TTL_MS: Final = 14 * 24 * 3600 * 1000

HookState: TypeAlias = Literal["enabled", "disabled", "missing", "unknown"]


class SourceHealth(Record):
    """What is known of a source: its last hook, its rhythm, the state of its hook. Times are epoch milliseconds."""

    received: int  # how many hooks have arrived
    checked_at: int
    last_at: int | None = None  # of the check that last found new hooks
    gaps: Sequence[int] = ()  # between checks that found new hooks
    hook: HookState = "unknown"
    problem: str = ""  # why the state of the hook is unknown
    last_hook_at: int | None = None  # when the last hook arrived: only where the health was loaded by `examine_source`
    registered: Sequence[str] | None = None  # the events of our hook in the account; None: not known
    outage_since: int | None = msgspec.field(default=None, name="quiet_since")  # its last hook; the stored name stays

    @property
    def max_silence_ms(self) -> int | None:
        """Return for how long it may be silent; None where it has no rhythm yet."""
        from statistics import median  # fractions and decimals go with it, and most commands ask for no rhythm

        return max(round(median(self.gaps) * SILENCE_FACTOR), MIN_SILENCE_MS) if len(self.gaps) >= MIN_GAPS else None

    @property
    def silent(self) -> bool:
        """Return whether it has been silent for longer than its rhythm allows."""
        maximum, last = self.max_silence_ms, self.last_at
        return maximum is not None and last is not None and self.checked_at - last > maximum

    @property
    def has_outage(self) -> bool:
        """Return whether hooks do not arrive: amoCRM has disabled the hook, or the source is silent."""
        return self.hook == "disabled" or self.silent


class Outage(Record):
    """A time in which hooks did not arrive, and that has ended: what was missed can be caught up."""

    since: int
    until: int


def update_health(
    before: SourceHealth | None, received: int, hook: HookState, problem: str, now: int
) -> tuple[SourceHealth, Outage | None]:
    """Return the health of a source after a check, and the outage that has ended with it, if one has."""
    if before is None:
        before = SourceHealth(received=received, checked_at=now, last_at=now if received else None)
    gaps, last_at = before.gaps, before.last_at
    if received > before.received:
        gaps = [*gaps, *([now - last_at] if last_at is not None else [])][-MAX_GAPS:]
        last_at = now
    elif before.hook in ("disabled", "missing") and hook == "enabled":
        last_at = now  # the silence is explained, and is measured from now on
    health = SourceHealth(
        received=received, checked_at=now, last_at=last_at, gaps=gaps, hook=hook, problem=problem,
        outage_since=before.outage_since,
    )  # fmt: skip
    if health.has_outage:
        since = before.outage_since if before.outage_since is not None else (before.last_at or before.checked_at)
        return msgspec.structs.replace(health, outage_since=since), None
    ended = None if before.outage_since is None else Outage(since=before.outage_since, until=now)
    return msgspec.structs.replace(health, outage_since=None), ended


def hook_state(hooks: "Iterable[AccountHook]", paths: Sequence[str]) -> HookState:
    """Return the state of the account's hooks that send to one of our paths: one for each token that is valid."""
    ours = our_hooks(hooks, paths)
    if not ours:
        return "missing"
    return "disabled" if all(hook.disabled for hook in ours) else "enabled"


def our_hooks(hooks: "Iterable[AccountHook]", paths: Sequence[str]) -> "list[AccountHook]":
    """Return the account's hooks that send to one of our paths."""
    return [hook for hook in hooks if urlsplit(hook.url).path.endswith(tuple(paths))]


async def load_health(shared: SharedState, source: str) -> SourceHealth | None:
    """Read the health of a source. Raises StoreUnavailable."""
    found = await shared.get(_key(source))
    return None if found is None else _HEALTH_DECODER.decode(found)


async def examine_source(reader: Reader, source: str) -> SourceHealth | None:
    """Read the health of a source at its last check, with the hooks that came since. Raises StoreUnavailable."""
    own = reader.of_source(source)
    health = await load_health(SharedState(own.client, own.namespace), source)
    at = await reader.last_hook(source)
    return health if health is None or at is None else add_last_hook(health, at)


def add_last_hook(health: SourceHealth, at: int) -> SourceHealth:
    """Add when the last hook arrived: a source is not silent, nor its hook disabled or missing, that has sent since."""
    if at <= health.checked_at:
        return msgspec.structs.replace(health, last_hook_at=at)
    hook = "enabled" if health.hook in ("disabled", "missing") else health.hook
    return msgspec.structs.replace(health, last_hook_at=at, last_at=at, hook=hook)


async def save_health(shared: SharedState, source: str, health: SourceHealth) -> None:
    """Store the health of a source. Raises StoreUnavailable."""
    await shared.put(_key(source), msgspec.json.encode(health), _TTL_MS)


def _key(source: str) -> str:
    return f"account:{source}:heard"


_HEALTH_DECODER = msgspec.json.Decoder(SourceHealth)
