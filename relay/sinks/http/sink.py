"""Any HTTP endpoint, such as accounting software, a CRM of your own, or a script."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec

from relay.errors import RejectDelivery
from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.attempt_calls import AttemptCalls, EndAttempt
from relay.sinks.base import ProbeResult, SettingsType, Sink
from relay.sinks.http.answers import AnswerReader, Interpretation, interpret
from relay.sinks.http.content import ContentHead, join_content, make_content, split_content
from relay.sinks.http.dependencies import DependencyResolver
from relay.sinks.http.idempotency import REPEATABLE_METHODS
from relay.sinks.http.lookups import LookupResult, can_look_up, delivery_result, read_lookup
from relay.sinks.http.oauth2 import ClientToken
from relay.sinks.http.references import has_all_values, json_reference
from relay.sinks.http.requests import HttpRequests, RequestParts, probe_parts, request_parts
from relay.sinks.http.settings import KEY, CreateSettings, HttpSettings, LookupSettings
from relay.sinks.tools import Tools
from relay.transport import Answer, Request, Response

_READABLE = (Outcome.DELIVERED, Outcome.UNKNOWN)  # of a 2xx: success_if is about deliveries, a probe may not meet it


class HttpSink(Sink):
    """Send content to an address under the credentials of today's configuration."""

    type = "http"
    Settings: ClassVar[SettingsType] = HttpSettings
    content_keys = dict.fromkeys(("path", "method", "headers", "query", "body", "form", "lookup", "needs"), False)
    varying_keys: ClassVar[Mapping[str, str]] = {"lookup": "all would be found as the same one"}
    exclusive_keys: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"body", "form"}),)

    def __init__(self, name: str, settings: HttpSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings
        self._requests = HttpRequests(settings)
        self._lookup_references = sorted(settings.lookup_references)
        self._reader = AnswerReader(settings, self.interpret, self._all_secrets)
        self._token = ClientToken(settings.auth.oauth2) if settings.auth and settings.auth.oauth2 else None
        account = hashlib.sha256("\0".join((settings.url, *settings.credentials())).encode()).hexdigest()
        self._dependencies = {need: DependencyResolver(need, how, account) for need, how in settings.needs.items()}

    def content(self, params: Mapping[str, object]) -> bytes:
        """Make the content: a line of JSON with method, path and headers, then the body. Raise RejectDelivery."""
        head, body = make_content(params)
        for name in self._lookup_references:
            if not has_all_values(f"<{name}>", head.lookup):
                raise RejectDelivery(f"lookup.{name}: has no value, and the sink's lookup refers to it")
        if head.needs or self._dependencies:
            self._check_needs(head, body)
        return join_content(head, body)

    def _check_needs(self, head: ContentHead, body: bytes) -> None:
        for name in head.needs.keys() - self._dependencies.keys():
            raise RejectDelivery(f"needs.{name}: the sink has no such need")
        for name in self._dependencies.keys() - head.needs.keys():
            if json_reference(name) in body:
                raise RejectDelivery(f"needs.{name}: is missing, and the body refers to it")

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the request as it would be sent today, secrets masked."""
        return self._requests.describe(content)

    def key(self, delivery: Delivery) -> str:
        """Return the key by which they recognise a repetition."""
        return delivery.key

    def repeatable(self, delivery: Delivery) -> bool:
        """Return whether a repetition does no harm, by the sink's settings or by its method. Pure."""
        if super().repeatable(delivery):
            return True
        return (split_content(delivery.content)[0].method or self._settings.method) in REPEATABLE_METHODS

    @property
    def remark(self) -> str:
        """Return what they promise about a repetition, or that nobody said it."""
        if self._settings.recognised and not self._settings.idempotency:
            return ""  # a vendor's own profile knows
        return (
            f"idempotency: {self._settings.idempotency}"
            if self._settings.idempotency
            else next(self._settings.warnings(()), "")
        )

    def request(
        self, delivery: Delivery, now: int, dependencies: Mapping[str, Json] | None = None, token: str = ""
    ) -> Request:
        """Build the request of a delivery. `now` (epoch milliseconds) goes into the signature only. Pure."""
        return self._requests.delivery_request(
            delivery.content, self.key(delivery), now, dependencies or {}, token, delivery.trace
        )

    def read(self, request: Request, answer: Answer, now: int) -> Result:
        """Return what an answer, or its absence, means. `now` (epoch milliseconds) is for Retry-After dates. Pure."""
        return self._reader.read(request, answer, now)

    def interpret(self, answer: Response) -> Interpretation:
        """Return what an answer means by itself. Pure."""
        return interpret(self._settings, answer)

    def conflicts(self, answer: Response) -> bool:
        """Return whether they say that it exists, so that a look-up must tell whether it is ours. Pure."""
        return answer.status == 409 and not self._settings.outcome(answer) and self._settings.conflict == "lookup"

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt: the look-up where the sink wants it first, the dependencies, then the request itself."""
        try:
            return await self._send(delivery, AttemptCalls(tools, self.timeout_ms, self.limits))
        except EndAttempt as end:
            return end.result
        except RejectDelivery as error:
            return Result(outcome=Outcome.REJECTED, reason=str(error))

    async def lookup(self, delivery: Delivery, tools: Tools) -> Result:
        """Return what became of an earlier attempt."""
        try:
            return await self._look_up(delivery, AttemptCalls(tools, self.timeout_ms, self.limits))
        except EndAttempt as end:
            # Nothing was asked, so the outcome stays open. "Retry" would mean that it is not there.
            outcome = Outcome.THROTTLED if end.result.outcome is Outcome.RETRY else end.result.outcome
            return msgspec.structs.replace(end.result, outcome=outcome)

    async def probe(self, tools: Tools) -> ProbeResult | None:
        """Make the free call of the settings, if they name one."""
        settings = self._settings.probe
        if settings is None:
            return None
        calls = AttemptCalls(tools, self.timeout_ms, self.limits, granted=False)
        try:
            result, answer = await self._call(probe_parts(settings), calls)
        except EndAttempt as end:
            return ProbeResult(ok=False, message=end.result.reason)
        if isinstance(answer, Response) and answer.status // 100 == 2 and self.interpret(answer)[0] in _READABLE:
            return ProbeResult(ok=True, message=f"it answers {answer.status}")
        return ProbeResult(ok=False, message=result.reason)

    async def _send(self, delivery: Delivery, calls: AttemptCalls) -> Result:
        if self._settings.lookup_first:
            lookup = await self._look_up(delivery, calls)
            if lookup.outcome is not Outcome.RETRY:
                return _before_sending(lookup)
        needs = split_content(delivery.content)[0].needs
        dependencies = {name: await self._resolve_dependency(name, values, calls) for name, values in needs.items()}
        request, answer = await self._exchange(
            lambda token: self.request(delivery, calls.now, dependencies, token), calls
        )
        result = self.read(request, answer, calls.now)
        if isinstance(answer, Response) and self.conflicts(answer):
            return await self._resolve_conflict(delivery, result, calls)
        if result.outcome is Outcome.REJECTED:
            for name, values in needs.items():
                await self._dependencies[name].forget(values, calls)
        return result

    async def _resolve_conflict(self, delivery: Delivery, conflict: Result, calls: AttemptCalls) -> Result:
        """Find out whether what exists there is this delivery's."""
        lookup = await self._look_up(delivery, calls)
        if lookup.outcome is not Outcome.RETRY:
            return _before_sending(lookup)
        reason = f"{conflict.reason}; looked up: ours is not there"
        return msgspec.structs.replace(conflict, outcome=Outcome.REJECTED, reason=reason)

    async def _look_up(self, delivery: Delivery, calls: AttemptCalls) -> Result:
        settings, head = self._settings.lookup, split_content(delivery.content)[0]
        values = {**head.lookup, KEY: self.key(delivery)}
        if settings is None or not can_look_up(settings, values):
            return Result(outcome=Outcome.UNKNOWN, reason="the route gives no values for the sink's lookup")
        try:
            return delivery_result(await self._call_lookup(settings, values, calls))
        except RejectDelivery as error:
            return Result(outcome=Outcome.UNKNOWN, reason=f"it cannot be looked up: {error}")

    async def _resolve_dependency(self, name: str, values: Mapping[str, Json], calls: AttemptCalls) -> Json:
        if name not in self._dependencies:
            raise RejectDelivery(f"needs.{name}: the sink has no such need any more")

        async def look_up(settings: LookupSettings, values: Mapping[str, Json]) -> LookupResult:
            return await self._call_lookup(settings, values, calls)

        async def create(settings: CreateSettings, values: Mapping[str, Json]) -> tuple[Result, Answer]:
            return await self._call(request_parts(settings, values), calls, key=str(values[KEY]))

        return await self._dependencies[name].get(values, calls, look_up, create)

    async def _call_lookup(
        self, settings: LookupSettings, values: Mapping[str, Json], calls: AttemptCalls
    ) -> LookupResult:
        return read_lookup(settings, *await self._ask(request_parts(settings, values), calls))

    async def _ask(self, parts: RequestParts, calls: AttemptCalls) -> tuple[Result, Answer]:
        """Make the call of a look-up. The result is what the answer means by itself: asking again does no harm."""
        result, answer = await self._call(parts, calls)
        if isinstance(answer, Response):
            result = msgspec.structs.replace(result, outcome=self.interpret(answer)[0])
        return result, answer

    async def _call(self, parts: RequestParts, calls: AttemptCalls, key: str = "") -> tuple[Result, Answer]:
        """Make a call beside the delivery's own; with a key it creates something."""

        def build(token: str) -> Request:
            if key:
                return self._requests.create_request(parts, key, calls.now, token)
            return self._requests.lookup_request(parts, token)

        request, answer = await self._exchange(build, calls)
        return self.read(request, answer, calls.now), answer

    async def _exchange(self, build: Callable[[str], Request], calls: AttemptCalls) -> tuple[Request, Answer]:
        """Make a call, a second time with a fresh token where the first token is refused."""
        token = await self._token.get(calls) if self._token else ""
        request = build(token)
        answer = await calls.call(request)
        if self._token and isinstance(answer, Response) and answer.status == 401:
            request = build(await self._token.get(calls, refused=token))
            answer = await calls.call(request)
        return request, answer

    def _all_secrets(self) -> Sequence[str]:
        return (*self.hidden, *self._token.secrets) if self._token else self.hidden


def _before_sending(lookup: Result) -> Result:
    """Return the result of an attempt that ends with its look-up. Nothing was sent, so unknown becomes retry."""
    if lookup.outcome is not Outcome.UNKNOWN:
        return lookup
    return msgspec.structs.replace(lookup, outcome=Outcome.RETRY)
