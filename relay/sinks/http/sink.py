"""Any HTTP endpoint: accounting, a CRM of one's own, a script. Content in, request out, answer read as an outcome."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import msgspec

from relay.errors import RejectDelivery
from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.base import Probe, SettingsType, Sink
from relay.sinks.calls import AttemptOver, Calls
from relay.sinks.http.answers import Answer, Meaning, Reader, meaning
from relay.sinks.http.content import join_content, make_content, split_content
from relay.sinks.http.dependencies import DependencyResolver
from relay.sinks.http.lookups import KEY, Ask, Found, Make, Question, can_ask, looked_up, question, read_found
from relay.sinks.http.oauth2 import ClientTokens
from relay.sinks.http.references import given, marker
from relay.sinks.http.requests import Requests
from relay.sinks.http.settings import HttpSettings
from relay.sinks.tools import Tools
from relay.transport import Request, Response

_READABLE = (Outcome.DELIVERED, Outcome.UNKNOWN)  # of a 2xx: success_if is about deliveries, a probe need not hold it


class HttpSink(Sink):
    """Send content to an address under today's credentials."""

    type = "http"
    Settings: ClassVar[SettingsType] = HttpSettings
    content_keys = dict.fromkeys(("path", "method", "headers", "query", "body", "form", "lookup", "needs"), False)
    exclusive_keys: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"body", "form"}),)

    def __init__(self, name: str, settings: HttpSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings
        self._requests = Requests(settings)
        self._reader = Reader(settings, self.meaning, self._hidden)
        self._secrets = tuple(filter(None, settings.secrets()))
        self._tokens = ClientTokens(settings.auth.oauth2) if settings.auth and settings.auth.oauth2 else None
        account = hashlib.sha256("\0".join((settings.url, *self._secrets)).encode()).hexdigest()
        self._needs = {need: DependencyResolver(need, how, account) for need, how in settings.needs.items()}

    def content(self, params: Mapping[str, object]) -> bytes:
        """Make the content: a line of JSON that says where and how, then the body. Raise RejectDelivery."""
        head, body = make_content(params)
        for name in sorted(self._settings.lookup_refers) if self._settings.lookup else ():
            if not given(f"<{name}>", head.lookup):
                raise RejectDelivery(f"lookup.{name}: has no value, and the sink's lookup refers to it")
        for name in head.needs.keys() - self._needs.keys():
            raise RejectDelivery(f"needs.{name}: the sink has no such need")
        for name in self._needs.keys() - head.needs.keys():
            if marker(name) in body:
                raise RejectDelivery(f"needs.{name}: is missing, and the body refers to it")
        return join_content(head, body)

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Show the request as it would be sent today, secrets masked."""
        return self._requests.shown(content)

    def key(self, delivery: Delivery) -> str:
        """Return what they recognise a repetition by."""
        return delivery.id

    def request(
        self, delivery: Delivery, now: int, needed: Mapping[str, Json] | None = None, token: str = ""
    ) -> Request:
        """Build the request of a delivery. `now` (epoch milliseconds) goes into the signature only. Pure."""
        return self._requests.delivering(delivery.content, self.key(delivery), now, needed or {}, token)

    def read(self, request: Request, answer: Answer, now: int) -> Result:
        """Return what an answer, or its absence, means. `now` (epoch milliseconds) is for Retry-After dates. Pure."""
        return self._reader.read(request, answer, now)

    def meaning(self, answer: Response) -> Meaning:
        """Return what an answer means by itself. Pure."""
        return meaning(self._settings, answer)

    def conflicts(self, answer: Response) -> bool:
        """Return whether they say it is there, so that looking tells whether it is ours. Pure."""
        return answer.status == 409 and not self._settings.outcome(answer) and self._settings.conflict == "lookup"

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt: look first where the sink says so, have what is needed, then the request itself."""
        try:
            return await self._send(delivery, Calls(tools, self.timeout_ms, self.limits))
        except AttemptOver as over:
            return over.result
        except RejectDelivery as error:
            return Result(outcome=Outcome.REJECTED, reason=str(error))

    async def lookup(self, delivery: Delivery, tools: Tools) -> Result:
        """Return what became of an earlier attempt."""
        try:
            return await self._look_up(delivery, Calls(tools, self.timeout_ms, self.limits))
        except AttemptOver as over:
            # What could not be asked stays open: to say "retry" would say that it is not there.
            outcome = Outcome.THROTTLED if over.result.outcome is Outcome.RETRY else over.result.outcome
            return msgspec.structs.replace(over.result, outcome=outcome)

    async def probe(self, tools: Tools) -> Probe | None:
        """Make the free call of the settings, if they name one."""
        free = self._settings.probe
        if free is None:
            return None
        calls = Calls(tools, self.timeout_ms, self.limits, granted=False)
        try:
            result, answer = await self._put(free.question, calls)
        except AttemptOver as over:
            return Probe(ok=False, said=over.result.reason)
        if isinstance(answer, Response) and answer.status // 100 == 2 and self.meaning(answer)[0] in _READABLE:
            return Probe(ok=True, said=f"it answers {answer.status}")
        return Probe(ok=False, said=result.reason)

    async def _send(self, delivery: Delivery, calls: Calls) -> Result:
        if self._settings.lookup_first:
            found = await self._look_up(delivery, calls)
            if found.outcome is not Outcome.RETRY:
                return _nothing_sent(found)
        head, _ = split_content(delivery.content)
        needed = {name: await self._needed(name, values, calls) for name, values in head.needs.items()}
        request, answer = await self._exchange(lambda token: self.request(delivery, calls.now, needed, token), calls)
        result = self.read(request, answer, calls.now)
        if isinstance(answer, Response) and self.conflicts(answer):
            return await self._resolve(delivery, result, calls)
        if result.outcome is Outcome.REJECTED:
            for name, values in head.needs.items():
                await self._needs[name].forget(values, calls)
        return result

    async def _resolve(self, delivery: Delivery, conflict: Result, calls: Calls) -> Result:
        """Find out whether what they have already is ours."""
        found = await self._look_up(delivery, calls)
        if found.outcome is not Outcome.RETRY:
            return _nothing_sent(found)
        reason = f"{conflict.reason}; looked up: ours is not there"
        return msgspec.structs.replace(conflict, outcome=Outcome.REJECTED, reason=reason)

    async def _look_up(self, delivery: Delivery, calls: Calls) -> Result:
        ask, head = self._settings.lookup, split_content(delivery.content)[0]
        values = {**head.lookup, KEY: self.key(delivery)}
        if ask is None or not can_ask(ask, values):
            return Result(outcome=Outcome.UNKNOWN, reason="the route gives no values for the sink's lookup")
        try:
            return looked_up(await self._ask(ask, values, calls))
        except RejectDelivery as error:
            return Result(outcome=Outcome.UNKNOWN, reason=f"it cannot be looked up: {error}")

    async def _needed(self, name: str, values: Mapping[str, Json], calls: Calls) -> Json:
        if name not in self._needs:
            raise RejectDelivery(f"needs.{name}: the sink has no such need any more")

        async def ask(how: Ask, filled: Mapping[str, Json]) -> Found:
            return await self._ask(how, filled, calls)

        async def make(how: Make, filled: Mapping[str, Json]) -> tuple[Result, Answer]:
            return await self._put(question(how, filled), calls, key=str(filled[KEY]))

        return await self._needs[name].get(values, calls, ask, make)

    async def _ask(self, how: Ask, values: Mapping[str, Json], calls: Calls) -> Found:
        result, answer = await self._put(question(how, values), calls)
        if isinstance(answer, Response):
            result = msgspec.structs.replace(result, outcome=self.meaning(answer)[0])
        return read_found(how, result, answer)

    async def _put(self, asked: Question, calls: Calls, key: str = "") -> tuple[Result, Answer]:
        """Put a question; with a key it makes something."""

        def build(token: str) -> Request:
            return self._requests.making(asked, key, calls.now, token) if key else self._requests.asking(asked, token)

        request, answer = await self._exchange(build, calls)
        return self.read(request, answer, calls.now), answer

    async def _exchange(self, build: Callable[[str], Request], calls: Calls) -> tuple[Request, Answer]:
        """Make a call, a second time with a fresh token where the first one is refused."""
        token = await self._tokens.get(calls) if self._tokens else ""
        request = build(token)
        answer = await calls.call(request)
        if self._tokens and isinstance(answer, Response) and answer.status == 401:
            request = build(await self._tokens.get(calls, refused=token))
            answer = await calls.call(request)
        return request, answer

    def _hidden(self) -> Iterator[str]:
        yield from self._secrets
        if self._tokens:
            yield from self._tokens.shown


def _nothing_sent(found: Result) -> Result:
    """Read a look-up that was made before anything left: what it leaves open is simply asked again."""
    if found.outcome is not Outcome.UNKNOWN:
        return found
    return msgspec.structs.replace(found, outcome=Outcome.RETRY)
