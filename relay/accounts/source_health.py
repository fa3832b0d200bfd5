"""Notice that a source has fallen silent: by its own rhythm, and by what amoCRM says of its hook."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from relay.accounts.hooks import AccountHook
from relay.model import Record
from relay.store.shared_state import SharedState

MAX_GAPS: Final = 50  # that a rhythm is made of
MIN_GAPS: Final = 5  # without so many there is no rhythm yet
SILENCE_FACTOR: Final = 5  # the median gap
MIN_SILENCE_MS: Final = 15 * 60_000
_KEPT_MS: Final = 14 * 24 * 3600 * 1000

HookState: TypeAlias = Literal["enabled", "disabled", "missing", "unknown"]


class SourceHealth(Record):
    """What is known of a source: when it was last heard, its rhythm, its hook. Times are epoch milliseconds."""

    received: int  # how many hooks there were
    checked_at: int
    last_at: int | None = None  # as exact as there are checks
    gaps: Sequence[int] = ()
    hook: HookState = "unknown"
    problem: str = ""  # why the account did not say
    quiet_since: int | None = None  # the last time that it was heard before it fell quiet

    @property
    def max_silence_ms(self) -> int | None:
        """Return for how long it may be silent; None where its rhythm is not known."""
        return max(round(median(self.gaps) * SILENCE_FACTOR), MIN_SILENCE_MS) if len(self.gaps) >= MIN_GAPS else None

    @property
    def silent(self) -> bool:
        """Return whether it has been silent for longer than its rhythm allows."""
        patience, last = self.max_silence_ms, self.last_at
        return patience is not None and last is not None and self.checked_at - last > patience

    @property
    def quiet(self) -> bool:
        """Return whether something is wrong: amoCRM has switched the hook off, or nothing comes."""
        return self.hook == "disabled" or self.silent


class Outage(Record):
    """A time of quiet that has ended: what was missed in it can be caught up."""

    since: int
    until: int


def update_health(
    before: SourceHealth | None, received: int, hook: HookState, problem: str, now: int
) -> tuple[SourceHealth, Outage | None]:
    """Put together what is known now; and the spell of quiet that has ended with it, if one has."""
    if before is None:
        before = SourceHealth(received=received, checked_at=now, last_at=now if received else None)
    gaps, last_at = before.gaps, before.last_at
    if received > before.received:
        gaps = [*gaps, *([now - last_at] if last_at is not None else [])][-MAX_GAPS:]
        last_at = now
    elif before.hook in ("disabled", "missing") and hook == "enabled":
        last_at = now  # its silence is explained, and begins anew
    heard = SourceHealth(
        received=received, checked_at=now, last_at=last_at, gaps=gaps, hook=hook, problem=problem,
        quiet_since=before.quiet_since,
    )  # fmt: skip
    if heard.quiet:
        since = before.quiet_since if before.quiet_since is not None else (before.last_at or before.checked_at)
        return msgspec.structs.replace(heard, quiet_since=since), None
    ended = None if before.quiet_since is None else Outage(since=before.quiet_since, until=now)
    return msgspec.structs.replace(heard, quiet_since=None), ended


def hook_state(hooks: Iterable[AccountHook], path: str) -> HookState:
    """Return how the account's hook that leads to our path stands."""
    ours = [hook for hook in hooks if urlsplit(hook.url).path.endswith(path)]
    if not ours:
        return "missing"
    return "disabled" if all(hook.disabled for hook in ours) else "enabled"


async def load_health(shared: SharedState, source: str) -> SourceHealth | None:
    """Read what is known of a source. Raises StoreUnavailable."""
    found = await shared.get(_key(source))
    return None if found is None else _DECODER.decode(found)


async def save_health(shared: SharedState, source: str, heard: SourceHealth) -> None:
    """Keep what is known of a source. Raises StoreUnavailable."""
    await shared.put(_key(source), msgspec.json.encode(heard), _KEPT_MS)


def _key(source: str) -> str:
    return f"account:{source}:heard"


_DECODER = msgspec.json.Decoder(SourceHealth)
