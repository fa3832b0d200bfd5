"""Importing many contacts in one call (importContacts), with the result of each delivery from its log."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from relay.model import Delivery, Outcome, Record, Result
from relay.sinks.attempt_calls import AttemptCalls, EndAttempt
from relay.sinks.unisender.answers import ApiAnswer, MethodError, interpret, parse_answer, parse_import_log
from relay.sinks.unisender.content import Contact
from relay.sinks.unisender.requests import ApiCall, UnisenderRequests

MAX_IMPORTED = 500

_WAITING = (Outcome.THROTTLED, Outcome.BLOCKED)
_IMPORTED = Result(outcome=Outcome.DELIVERED, reason="imported", status=200)


class ContactDelivery(Record):
    """A delivery with its contact."""

    delivery: Delivery
    contact: Contact


class ContactImport:
    """The deliveries of one claim: those that subscribe are imported, the others sent one by one."""

    def __init__(self, deliveries: Sequence[ContactDelivery], requests: UnisenderRequests, calls: AttemptCalls) -> None:
        self._deliveries = deliveries
        self._requests = requests
        self._calls = calls
        self._results: dict[str, Result] = {}
        self._stopped: Result | None = None  # no further call is made after this result

    async def run(self) -> list[Result]:
        """Return the result of each delivery, in their order."""
        for deliveries in self._groups():
            await self._import(deliveries)
        for each in self._deliveries:
            if each.contact.action != "subscribe":
                self._settle([each], await self._call(self._requests.contact_call(each.contact)))
        return [self._results[each.delivery.id] for each in self._deliveries]

    def _groups(self) -> Iterator[list[ContactDelivery]]:
        """Yield what subscribes, grouped by columns, in order of arrival, so that newer values are written later."""

        def columns(each: ContactDelivery) -> list[str]:
            return list(self._requests.import_row(each.contact))

        subscribing = [each for each in self._deliveries if each.contact.action == "subscribe"]
        subscribing.sort(key=lambda each: (columns(each), each.delivery.accepted_at))
        for _, group in groupby(subscribing, key=columns):
            yield list(group)

    async def _import(self, deliveries: Sequence[ContactDelivery]) -> None:
        rows = [self._requests.import_row(each.contact) for each in deliveries]
        answer = await self._call(self._requests.import_call(rows))
        if isinstance(answer, MethodError) and answer.code == "invalid_arg":
            # One contact makes the whole import invalid: importing halves of it finds out which.
            await self._halve(deliveries, answer)
        elif isinstance(answer, (MethodError, Result)):
            self._settle(deliveries, answer)
        else:
            await self._read_log(deliveries, answer)

    async def _read_log(self, deliveries: Sequence[ContactDelivery], answer: ApiAnswer) -> None:
        log = parse_import_log(answer, len(deliveries))
        if log is None:
            unreadable = Result(outcome=Outcome.UNKNOWN, reason="their answer to the import cannot be read")
            self._settle(deliveries, unreadable)
        elif not log.complete:
            # Some are invalid, and the log does not say which.
            await self._halve(deliveries, MethodError(code="invalid_arg", message="invalid, and they do not say why"))
        else:
            for row, each in enumerate(deliveries):
                self._settle([each], log.errors.get(row, _IMPORTED))

    async def _halve(self, deliveries: Sequence[ContactDelivery], error: MethodError) -> None:
        if len(deliveries) == 1:
            self._settle(deliveries, error)
            return
        middle = len(deliveries) // 2
        await self._import(deliveries[:middle])
        await self._import(deliveries[middle:])

    async def _call(self, call: ApiCall) -> ApiAnswer:
        """Make a call, unless an earlier result has stopped further ones."""
        if self._stopped is not None:
            return self._stopped
        try:
            return parse_answer(await self._calls.call(self._requests.build(call)))
        except EndAttempt as end:
            self._stopped = end.result
            return end.result

    def _settle(self, deliveries: Sequence[ContactDelivery], answer: ApiAnswer) -> None:
        for each in deliveries:
            result = interpret(answer, each.contact, each.delivery.attempts)
            if result.outcome in _WAITING and result.scope == "sink":
                self._stopped = result
            self._results[each.delivery.id] = result
