"""The gate of a queue: whether deliveries may leave it now."""

from collections.abc import Mapping

from relay.model import Record
from relay.store.fields import GateField


class Gate(Record, omit_defaults=True):
    """What keeps deliveries back. Times are epoch milliseconds; the gate of a queue that is open has no fields."""

    paused: bool = False  # until a person, or a subscription that is enabled again, opens it
    paused_since: int | None = None
    paused_until: int | None = None  # then the pause ends by itself
    paused_by: str = ""  # empty where a subscription's disabling did it
    paused_why: str = ""
    until: int | None = None  # then one delivery is let through, and what comes of it opens or closes the gate
    since: int | None = None
    reason: str = ""
    breaker: bool = False  # closed because too many attempts failed, not by one answer
    routes: Mapping[str, int] = {}  # closed routes: until when each is

    @property
    def disabled(self) -> bool:
        """Return whether it is paused because its subscription is disabled, and not by a person."""
        return self.paused and not self.paused_by

    def describe_pause(self) -> str:
        """Return who paused it and why."""
        return f"by {self.paused_by}: {self.paused_why}" if self.paused_by else self.paused_why

    def closed(self, now: int) -> bool:
        """Return whether nothing leaves the queue."""
        return self.paused or self.closed_until(now) is not None

    def closed_until(self, now: int) -> int | None:
        """Return until when the sink's answers closed it; None where they did not, or that is over."""
        return self.until if self.until is not None and self.until > now else None

    def closed_routes(self, now: int) -> dict[str, int]:
        """Return the routes of which nothing leaves the queue, each with the end of that."""
        return {name: until for name, until in self.routes.items() if until > now}


class GateChange(Record):
    """A change of a gate, with its cause. Times are epoch milliseconds."""

    at: int
    change: str  # closed, still closed, opened, paused, resumed
    cause: str
    route: str = ""  # of which gate it is; empty: the queue's own
    by: str = ""  # the person who did it
    times: int = 1  # how many alike in a row this one stands for
    first_at: int = 0  # when the first of them was


def read_gate(fields: Mapping[bytes, bytes]) -> Gate:
    """Return a gate from its hash."""
    if not fields:  # of nearly every sink
        return Gate()
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Gate(
        paused=GateField.PAUSED in text,
        paused_since=_time(text.get(GateField.PAUSED_SINCE)),
        paused_until=_time(text.get(GateField.PAUSED_UNTIL)),
        paused_by=text.get(GateField.PAUSED_BY, ""),
        paused_why=text.get(GateField.PAUSED_WHY, ""),
        breaker=GateField.BREAKER in text,
        until=_time(text.get(GateField.UNTIL)),
        since=_time(text.get(GateField.SINCE)),
        reason=text.get(GateField.REASON, ""),
        routes={
            name.removeprefix(GateField.ROUTE): int(until)
            for name, until in text.items()
            if name.startswith(GateField.ROUTE)
        },
    )


def _time(text: str | None) -> int | None:
    return None if text is None else int(text)
