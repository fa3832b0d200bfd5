"""The faults that are injected into the sandbox: which request gets which, and at which point."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from relay.model import Record

Kind: TypeAlias = Literal["hang", "status", "reset", "refuse", "slow_headers", "html", "truncated", "throttle", "pause"]
Point: TypeAlias = Literal["before-read", "stored", "before-answer", "answered"]
_NAMES: Final = {"fault": get_args(Kind), "at": get_args(Point)}


class InjectedFault(Record, forbid_unknown_fields=True):
    """How requests to a vendor fail.

    `after_storing`: the vendor does what was asked, and only then the request fails. `slow_headers` and `truncated`
    spoil the vendor's own answer, so they always come after storing. `times` -1: until it is cleared. `every` 3: only
    every third request that it fits fails. `seconds`: after
    how long `hang` closes the connection (default: never), over how long `slow_headers` are sent, for how long `refuse`
    or a `pause` lasts. `refuse` closes the port at once, for all vendors: a refused connection has no path. `pause`
    stops a request `at` a point until it is released; then it goes on as usual.
    """

    fault: Kind
    at: Point | None = None
    vendor: str | None = None
    path: str = ""
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 500
    retry_after: int | str | None = None
    after_storing: bool = False
    times: Annotated[int, msgspec.Meta(ge=-1)] = 1
    every: Annotated[int, msgspec.Meta(ge=1)] = 1
    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        if (self.fault == "pause") != (self.at is not None):
            raise ValueError("a pause, and no other fault, needs a point (`at`)")

    @property
    def stores(self) -> bool:
        """Whether the vendor does what was asked all the same."""
        return self.after_storing or self.fault in ("slow_headers", "truncated")

    @property
    def answers(self) -> int | None:
        """The status that the client sees, None where it sees none."""
        return {"status": self.status, "throttle": 429, "html": 200}.get(self.fault)

    def hits(self, vendor: str, path: str, at: Point | None) -> bool:
        """Return whether a request gets it, at a point or (None) as its answer. `path` is below the vendor's own."""
        return self.at == at and self.vendor in (None, vendor) and path.startswith(self.path)


def parse_fault(body: bytes) -> InjectedFault:
    """Read a fault from JSON. Raises ValueError that names those there are, where it is none of them."""
    try:
        return msgspec.json.decode(body, type=InjectedFault)
    except msgspec.ValidationError as error:
        unknown = next((key for key in _NAMES if str(error).endswith((f"`$.{key}`", f"field `{key}`"))), None)
        raise ValueError(f"{error}: known: {', '.join(_NAMES[unknown])}" if unknown else str(error)) from error
    except msgspec.DecodeError as error:
        raise ValueError(f"not JSON: {error}") from error


class Faults:
    """The faults in force, oldest first. A request gets the first one that fits."""

    def __init__(self) -> None:
        self._faults: list[_FaultInForce] = []

    def add(self, fault: InjectedFault) -> None:
        """Put a fault in force."""
        if fault.times:
            self._faults.append(_FaultInForce(fault))

    def clear(self) -> None:
        """Remove all of them."""
        self._faults.clear()

    def list(self) -> Sequence[InjectedFault]:
        """Return those in force; their `times` is how often each still happens."""
        return [msgspec.structs.replace(one.fault, times=one.remaining) for one in self._faults]

    def take(self, vendor: str, path: str, at: Point | None = None, *, by_path: bool = False) -> InjectedFault | None:
        """Return the fault that a request gets, and count it. `by_path`: only one that says a path."""
        for one in self._faults:
            if (one.fault.path or not by_path) and one.fault.hits(vendor, path, at) and one.is_its_turn():
                if one.remaining > 0:
                    one.remaining -= 1
                if not one.remaining:
                    self._faults.remove(one)
                return one.fault
        return None


class _FaultInForce:
    """A fault, how often it still happens (-1: until it is cleared), and how many requests it has fitted."""

    def __init__(self, fault: InjectedFault) -> None:
        self.fault = fault
        self.remaining = fault.times
        self._fitted = 0

    def is_its_turn(self) -> bool:
        """Return whether the request that it fits now is to fail."""
        self._fitted += 1
        return self._fitted % self.fault.every == 0
