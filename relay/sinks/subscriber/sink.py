"""The sink of a subscription: it sends an application events as amoCRM would send them."""

from collections.abc import Mapping
from http.client import responses
from typing import Any, ClassVar

from yarl import URL

from relay.amocrm.form import decode_form
from relay.config.schema import SubscribersSection
from relay.errors import RejectDelivery, StoreUnavailable
from relay.logs import log
from relay.masking import mask_query
from relay.model import Decision, DecisionKind, Delivery, Json, Outcome, Result, Subscription
from relay.sinks.base import Sink
from relay.sinks.ssrf_guard import url_refusal
from relay.sinks.subscriber import retry_rules
from relay.sinks.subscriber.retry_rules import ACCEPTED, NO_ANSWER
from relay.sinks.subscriber.settings import SubscriberSettings
from relay.sinks.tools import Tools
from relay.store.subscriptions import Subscriptions
from relay.transport import Answer, Asker, Request, TransportFailure, call

_GONE = 410
_NEXT_TURN_MS = 5_000  # until what only waited for its turn waits again


class _Subscriber(Sink):
    """A sink to which no route sends."""

    type = "subscriber"
    Settings = SubscriberSettings
    content_keys: ClassVar[Mapping[str, bool]] = {}

    def content(self, params: Mapping[str, object]) -> bytes:  # noqa: ARG002  any are refused
        """Raise RejectDelivery: a subscriber's content is the event itself, as amoCRM writes it."""
        raise RejectDelivery(f"{self.name}: a subscriber gets events as they are, no route can send to it")


class SubscriberSink(_Subscriber):
    """Send an application the events that it subscribed to, and disable the subscription where it fails too often.

    The session must be a guarded one (`relay.sinks.ssrf_guard`), because the URL comes from outside.
    """

    def __init__(self, subscription: Subscription, settings: SubscribersSection, subscriptions: Subscriptions) -> None:
        super().__init__(subscription.sink, SubscriberSettings())
        self.timeout_ms, self.concurrency = settings.timeout, settings.concurrency
        self.asker = Asker(sink=self.name, source=subscription.source)
        self._subscription = subscription
        self._subscriptions = subscriptions
        self._allow = settings.allow

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Make one attempt. A failed one counts towards disabling the subscription."""
        if refusal := url_refusal(self._subscription.url, self._allow):
            result = Result(outcome=Outcome.RETRY, reason=f"the address is not allowed: {refusal}")
        else:
            result = self.read(await call(tools.session, self.request(delivery.content, delivery.key)))
        if result.outcome not in (Outcome.DELIVERED, Outcome.THROTTLED):
            await self._record_failure(result, self.decide(result, attempts=delivery.attempts))
        return result

    def request(self, content: bytes, key: str) -> Request:
        """Build the request as amoCRM sends it. Pure."""
        return Request(
            method="POST",
            url=URL(self._subscription.url),
            headers={
                "User-Agent": "amoCRM-Webhooks/3.0",
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Amocrm-Requestid": key,
            },
            body=content,
            timeout_ms=self.timeout_ms,
        )

    def read(self, answer: Answer) -> Result:
        """Return what an answer, or its absence, means. Pure. Its body is not kept, because it may repeat the event."""
        if isinstance(answer, TransportFailure):
            if answer.ours:
                return Result(outcome=Outcome.THROTTLED, reason=answer.reason, after_ms=_NEXT_TURN_MS)
            return Result(outcome=Outcome.RETRY, reason=answer.reason)
        reason = f"{answer.status} {responses.get(answer.status, '')}".rstrip()
        outcome = Outcome.DELIVERED if answer.status in ACCEPTED else Outcome.RETRY
        return Result(outcome=outcome, reason=reason, status=answer.status)

    def decide(self, result: Result, *, attempts: int, **more: Any) -> Decision:
        """Return what happens next by amoCRM's retry table, which has neither age nor jitter nor look-ups."""
        if result.outcome is Outcome.THROTTLED:  # nobody was called yet
            return super().decide(result, attempts=attempts, **more)
        return retry_rules.amocrm_decision(result.status or NO_ANSWER, attempts + 1, result.reason)

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the request, with the query of its URL masked."""
        return {
            "method": "POST",
            "url": mask_query(self._subscription.url),
            "body": decode_form(content),
        }

    async def _record_failure(self, result: Result, decision: Decision) -> None:
        """Count a failure. Disable the subscription where a last attempt was answered 410, or too many failed."""
        id, reason = self._subscription.id, result.reason
        try:
            if result.status == _GONE and decision.kind is DecisionKind.DEAD:
                reason = "it answered 410 Gone, at the last attempt too"
                disabled = await self._subscriptions.disable(id, reason)
            else:
                reason = f"more than 100 failures in 2 hours, the last: {reason}"
                disabled = await self._subscriptions.record_failure(id, reason)
        except StoreUnavailable as error:  # the result is kept until the store is back; this failure does not count
            log.warning("subscription.uncounted", subscription=id, reason=str(error))
            return
        if disabled:
            log.warning("subscription.disabled", subscription=id, source=self._subscription.source, reason=reason)


class UnsubscribedSink(_Subscriber):
    """Skip what was still waiting when an application unsubscribed."""

    def __init__(self, name: str) -> None:
        super().__init__(name, SubscriberSettings())

    async def send(self, delivery: Delivery, tools: Tools) -> Result:  # noqa: ARG002  nobody is called
        """Skip it."""
        return Result(outcome=Outcome.SKIPPED, reason="the application unsubscribed")

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return what would have been sent."""
        return {"body": decode_form(content)}
