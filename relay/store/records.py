"""Arguments and results of the store that only its callers know; the rest are records of `relay.model`."""

from typing import Generic, TypeVar

from relay.model import Decision, Delivery, Outcome, Record

T = TypeVar("T")


class Hook(Record):
    """A POST that the ingress wants stored."""

    id: str
    source: str
    digest: str  # of the body, inflated, for the duplicate rule
    timed: bool  # the body carries a change time
    request_id: str
    content_type: str
    user_agent: str
    content_encoding: str = ""
    body: bytes = b""  # as it arrived
    recovered: bool = False  # amoCRM never delivered it: made from what the account remembers


class Accepted(Record):
    """What became of a group of hooks."""

    bell_set: bool  # this call set the inbox's bell: publish it
    answers: list[tuple[str, bool]]  # for each hook the receipt's id, and whether it is a duplicate of that one


class Claim(Record, Generic[T]):
    """What may be worked on now, under `token`."""

    token: str
    items: list[T]
    poisoned: list[str]  # given up now: they killed their worker five times
    wait_ms: int  # until more may be taken; -1: nothing to wait for
    batched: bool = False  # the items are for one call


class Settlement(Record):
    """What an attempt came to, and what is to be done."""

    delivery: Delivery
    outcome: Outcome
    decision: Decision
    attempt: bytes  # as JSON, for the story


class Job(Record):
    """A piece of background work, as a worker holds it."""

    id: str
    kind: str
    args: bytes
    token: str
