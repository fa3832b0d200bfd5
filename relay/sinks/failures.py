"""What it means for a delivery that a call was not answered. Pure."""

from relay.model import Outcome
from relay.transport import TransportFailure


def failure_outcome(failure: TransportFailure, *, repeatable: bool = False) -> Outcome:
    """Return the outcome of a call without an answer. `repeatable`: sending it again does no harm in any case."""
    if failure.ours:
        return Outcome.THROTTLED
    if failure.lasting:
        return Outcome.BLOCKED
    return Outcome.UNKNOWN if failure.sent and not repeatable else Outcome.RETRY
