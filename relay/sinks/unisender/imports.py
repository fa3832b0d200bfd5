"""Many contacts in one call: importContacts, each line of its log mapped back to the delivery that it is about."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from relay.model import Delivery, Outcome, Record, Result
from relay.sinks.attempt_calls import AttemptCalls, EndAttempt
from relay.sinks.unisender.answers import Complaint, Said, imported, meaning, read
from relay.sinks.unisender.content import Contact
from relay.sinks.unisender.requests import Call, Requests

MAX_IMPORTED = 500

_WAITING = (Outcome.THROTTLED, Outcome.BLOCKED)


class Member(Record):
    """A delivery with its contact."""

    delivery: Delivery
    contact: Contact


class ContactImport:
    """The deliveries of one claim: those that subscribe are imported, the others are called for one by one."""

    def __init__(self, members: Sequence[Member], requests: Requests, calls: AttemptCalls) -> None:
        self._members = members
        self._requests = requests
        self._calls = calls
        self._results: dict[str, Result] = {}
        self._over: Result | None = None  # from here on they want no further call

    async def run(self) -> list[Result]:
        """Return what each came to, in their order."""
        for members in self._tables():
            await self._import(members)
        for member in self._members:
            if member.contact.action != "subscribe":
                self._put([member], await self._say(self._requests.single(member.contact)))
        return [self._results[member.delivery.id] for member in self._members]

    def _tables(self) -> Iterator[list[Member]]:
        """Return what subscribes by its columns; within them by arrival, so that what is newer is written later."""

        def columns(member: Member) -> list[str]:
            return list(self._requests.row(member.contact))

        joining = [member for member in self._members if member.contact.action == "subscribe"]
        joining.sort(key=lambda member: (columns(member), member.delivery.accepted_at))
        for _, members in groupby(joining, key=columns):
            yield list(members)

    async def _import(self, members: Sequence[Member]) -> None:
        said = await self._say(self._requests.table([self._requests.row(member.contact) for member in members]))
        if isinstance(said, Complaint) and said.code == "invalid_arg":
            # Something in it spoils all of it: the halves tell where.
            await self._halve(members, said)
        elif isinstance(said, (Complaint, Result)):
            self._put(members, said)
        else:
            await self._read_log(members, said)

    async def _read_log(self, members: Sequence[Member], said: Said) -> None:
        log = imported(said, len(members))
        if log is None:
            self._put(members, Result(outcome=Outcome.UNKNOWN, reason="what they say of the import cannot be read"))
        elif not log.complete:
            # Some are invalid, and the log does not say which.
            await self._halve(members, Complaint(code="invalid_arg", message="invalid, and they do not say why"))
        else:
            for row, member in enumerate(members):
                self._put([member], log.complaints.get(row, _IMPORTED))

    async def _halve(self, members: Sequence[Member], complaint: Complaint) -> None:
        if len(members) == 1:
            self._put(members, complaint)
            return
        middle = len(members) // 2
        await self._import(members[:middle])
        await self._import(members[middle:])

    async def _say(self, call: Call) -> Said:
        """Make a call, unless it is known that no further one is wanted now."""
        if self._over is not None:
            return self._over
        try:
            return read(await self._calls.call(self._requests.build(call)))
        except EndAttempt as over:
            self._over = over.result
            return over.result

    def _put(self, members: Sequence[Member], said: Said) -> None:
        for member in members:
            result = meaning(said, member.contact, member.delivery.attempts)
            if result.outcome in _WAITING and result.scope == "sink":
                self._over = result
            self._results[member.delivery.id] = result


_IMPORTED = Result(outcome=Outcome.DELIVERED, reason="imported", status=200)
