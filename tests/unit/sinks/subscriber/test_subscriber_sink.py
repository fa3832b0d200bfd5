"""A subscriber's sink: what it sends, how it reads answers, when it disables. No network, no store."""

import asyncio
from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs
from yarl import URL

from relay.config.schema import SubscribersSection
from relay.errors import RejectDelivery, StoreUnavailable
from relay.model import DecisionKind, DeliveryState, Outcome, Result, Subscription, is_subscriber
from relay.sinks.registry import sink_types
from relay.sinks.subscriber import sink as subscriber
from relay.sinks.subscriber.sink import SubscriberSink, UnsubscribedSink
from relay.sinks.tools import Tools
from relay.transport import Response, TransportFailure

BODY = b"account%5Bid%5D=9&leads%5Bstatus%5D%5B0%5D%5Bid%5D=7"

TOOLS = Tools(session=None, shared=None, now=lambda: 0.0)  # `call` is replaced: nobody is called


def subscription(url="https://crm.example.com/hooks?key=s3cret", **more):
    fields = {
        "id": 7, "source": "acme", "url": url, "name": "CRM", "events": frozenset({"status_lead"}), "disabled": False,
        "disabled_reason": "", "created_at": 1, "updated_at": 1, "created_by": "a", "sort": 0,
    }  # fmt: skip
    return Subscription(**{**fields, **more})


class Records:
    """The store of subscriptions, which records the calls."""

    def __init__(self, answer=False):
        self.calls = []
        self.answer = answer

    async def record_failure(self, id, reason):
        self.calls.append(("record_failure", id, reason))
        return self._answered()

    async def disable(self, id, reason):
        self.calls.append(("disable", id, reason))
        return self._answered()

    def _answered(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def answering(monkeypatch):
    """Answer every call the same, and return the requests."""

    def set_up(answer):
        requests = []

        async def answered(_, request):
            requests.append(request)
            return answer

        monkeypatch.setattr(subscriber, "call", answered)
        return requests

    return set_up


def status(code):
    return Response(status=code, headers={}, body=b"lead of +7 916 123-45-67")


NO_ANSWER = TransportFailure(kind="timeout", reason="no answer in time", sent=True)


def send(delivery, records, attempts=0, **more):
    sink = SubscriberSink(subscription(**more), SubscribersSection(), records)
    return asyncio.run(sink.send(delivery(BODY, attempts=attempts), TOOLS))


def test_it_is_called_as_amocrm_calls(delivery, answering):
    requests = answering(status(200))
    first, second = send(delivery, Records()), send(delivery, Records())
    assert first == second == Result(outcome=Outcome.DELIVERED, reason="200 OK", status=200)
    request = requests[0]
    assert request.method == "POST"
    assert request.url == URL("https://crm.example.com/hooks?key=s3cret")
    assert request.headers == {
        "User-Agent": "amoCRM-Webhooks/3.0",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Amocrm-Requestid": delivery().id,
    }
    assert request.timeout_ms == 2_000
    assert [r.body for r in requests] == [BODY, BODY]


@pytest.mark.parametrize("code", [100, 101, 200, 204, 299])
def test_100_to_299_is_accepted_and_no_failure(delivery, answering, code):
    answering(status(code))
    records = Records()
    assert send(delivery, records).outcome is Outcome.DELIVERED
    assert records.calls == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(300), "300 Multiple Choices"),
        (status(404), "404 Not Found"),
        (status(503), "503 Service Unavailable"),
        (status(799), "799"),
        (NO_ANSWER, "no answer in time"),
    ],
)
def test_anything_else_is_a_failure_that_counts(delivery, answering, answer, reason):
    answering(answer)
    records = Records()
    result = send(delivery, records)
    assert (result.outcome, result.reason) == (Outcome.RETRY, reason)
    assert result.response == ""
    assert records.calls == [("record_failure", 7, f"more than 100 failures in 2 hours, the last: {reason}")]


@pytest.mark.parametrize(
    ("answer", "attempts", "call"), [(status(500), 0, "record_failure"), (status(410), 2, "disable")]
)
def test_disabling_a_subscription_is_logged(delivery, answering, answer, attempts, call):
    answering(answer)
    records = Records(answer=True)
    with capture_logs() as lines:
        send(delivery, records, attempts)
    assert [name for name, *_ in records.calls] == [call]
    (line,) = lines
    assert (line["event"], line["subscription"], line["source"]) == ("subscription.disabled", 7, "acme")
    assert "s3cret" not in repr(lines)


def test_gone_is_tried_twice_more_and_only_then_disables(delivery, answering):
    """As the documented table has it for every code from 300 that is not a server's."""
    answering(status(410))
    sink = SubscriberSink(subscription(), SubscribersSection(), Records())
    failure = ("record_failure", 7, "more than 100 failures in 2 hours, the last: 410 Gone")
    for attempts, minutes in enumerate((5, 15)):
        records = Records()
        result = send(delivery, records, attempts)
        assert records.calls == [failure]
        decision = sink.decide(result, attempts=attempts)
        assert (decision.state, decision.delay_ms) == (DeliveryState.PENDING, minutes * 60_000)
    records = Records(answer=True)
    result = send(delivery, records, attempts=2)
    assert records.calls == [("disable", 7, "it answered 410 Gone, at the last attempt too")]
    assert sink.decide(result, attempts=2).state is DeliveryState.DEAD


@pytest.mark.parametrize(("attempts", "disables"), [(0, False), (1, False), (2, True), (3, True), (4, True)])
def test_gone_after_other_failures_disables_where_it_is_the_last_attempt(delivery, answering, attempts, disables):
    """A 410 has no third retry: after two attempts of another kind it is the last."""
    answering(status(410))
    records = Records(answer=True)
    send(delivery, records, attempts)
    assert [name for name, *_ in records.calls] == ["disable" if disables else "record_failure"]


@pytest.mark.parametrize("code", [404, 301, 403, 500])
def test_no_other_code_disables_at_the_last_attempt(delivery, answering, code):
    answering(status(code))
    records = Records()
    send(delivery, records, attempts=4)
    assert [name for name, *_ in records.calls] == ["record_failure"]


def test_a_result_counts_though_the_store_is_unavailable(delivery, answering):
    answering(status(500))
    with capture_logs() as lines:
        result = send(delivery, Records(answer=StoreUnavailable("away")))
    assert result.status == 500
    assert [line["event"] for line in lines] == ["subscription.uncounted"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/", "the address is not allowed: 127.0.0.1 is loopback"),
        ("http://user@crm.example.com/", "the address is not allowed: a name or password in it is not possible"),
    ],
)
def test_a_forbidden_address_is_not_called_and_that_is_a_failure(delivery, answering, url, reason):
    requests = answering(status(200))
    records = Records()
    assert send(delivery, records, url=url) == Result(outcome=Outcome.RETRY, reason=reason)
    assert requests == []
    assert [name for name, *_ in records.calls] == ["record_failure"]


def test_an_address_that_the_operator_trusts_is_called(delivery, answering):
    requests = answering(status(200))
    settings = SubscribersSection(allow=("127.0.0.1/32",))
    assert settings.allow == (ip_network("127.0.0.1/32"),)
    sink = SubscriberSink(subscription(url="http://127.0.0.1:5000/"), settings, Records())
    assert asyncio.run(sink.send(delivery(BODY), TOOLS)).outcome is Outcome.DELIVERED
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("result", "attempts", "minutes"),
    [
        (Result(outcome=Outcome.RETRY, reason="404", status=404), 0, 5),
        (Result(outcome=Outcome.RETRY, reason="404", status=404, after_ms=1), 1, 15),
        (Result(outcome=Outcome.RETRY, reason="404", status=404), 2, None),
        (Result(outcome=Outcome.RETRY, reason="503", status=503), 3, 60),
        (Result(outcome=Outcome.UNKNOWN, reason="interrupted because the worker stopped"), 0, 5),
        (Result(outcome=Outcome.UNKNOWN, reason="interrupted because the worker stopped"), 2, None),
    ],
)
def test_what_comes_next_is_in_amocrm_s_table(result, attempts, minutes):
    sink = SubscriberSink(subscription(), SubscribersSection(), Records())
    decision = sink.decide(result, attempts=attempts, age_ms=10**9, jitter=0.9)
    assert decision.kind is (DecisionKind.DEAD if minutes is None else DecisionKind.RETRY)
    assert decision.delay_ms == (minutes or 0) * 60_000


def test_it_is_harmless_to_repeat_and_named_after_its_subscription(delivery):
    sink = SubscriberSink(subscription(), SubscribersSection(concurrency=3), Records())
    assert (sink.name, sink.repeatable(delivery()), sink.concurrency, sink.timeout_ms) == ("sub-7", True, 3, 2_000)
    assert is_subscriber(sink.name)
    assert not is_subscriber("accounting")


def test_no_route_can_send_to_it():
    assert "subscriber" not in sink_types()
    with pytest.raises(RejectDelivery, match="sub-7: a subscriber gets events as they are"):
        SubscriberSink(subscription(), SubscribersSection(), Records()).content({"body": "x"})


def test_the_query_of_its_address_is_masked():
    description = SubscriberSink(subscription(), SubscribersSection(), Records()).describe(BODY)
    assert description == {
        "method": "POST",
        "url": "https://crm.example.com/hooks?***",
        "body": {"account": {"id": "9"}, "leads": {"status": [{"id": "7"}]}},
    }


def test_what_waits_for_an_application_that_unsubscribed_is_skipped(delivery):
    sink = UnsubscribedSink("sub-7")
    result = asyncio.run(sink.send(delivery(BODY), TOOLS))
    assert result == Result(outcome=Outcome.SKIPPED, reason="the application unsubscribed")
    assert sink.decide(result, attempts=1, age_ms=0, jitter=0).state is DeliveryState.SKIPPED
    assert sink.describe(BODY)["body"] == {"account": {"id": "9"}, "leads": {"status": [{"id": "7"}]}}
