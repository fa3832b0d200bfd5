"""What came of the acts of people."""

from typing import Literal

from relay.model import Record


class ActAnswer(Record, array_like=True):
    """What came of a person's act on a delivery."""

    code: Literal[
        "done",
        "asked",
        "asked already",
        "leased",
        "due",
        "ordered",  # it waits for another of its `order` key
        "empty",
        "state",
        "gone",
        "another kind",
        "other type",
        "exists",
        "stopped",  # the bulk action that it belongs to does not run any more
        "touched",  # by that action before
        "packed",  # it must be unpacked first; nobody but `Acts` sees this
    ]
    before: str  # its state; empty where there is no such delivery
    obstacle: str  # what keeps its queue back: "paused: why", "closed: why"


class ReplayAnswer(Record, array_like=True):
    """What came of a replay: whether the receipt is there and routed, and how many deliveries were made."""

    code: Literal[
        "done",
        "waits",
        "gone",
        "stopped",  # the bulk action does not run any more
        "moved",  # its source belongs to another shard now: only what was made of it before can be sent again
        "packed",  # it must be unpacked first; nobody but `Acts` sees this
    ]
    made: int


class ActionItemRow(Record, array_like=True, kw_only=False):
    """What came of an item of a bulk action to which nothing was done."""

    id: str
    result: str
