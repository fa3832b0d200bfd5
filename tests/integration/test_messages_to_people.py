"""Messages by Telegram, mail and Apprise, drained from the store to the fakes: what arrives, and what is held."""

from collections.abc import Callable

import pytest

from relay.model import DeliveryState
from relay.sinks.base import Sink
from relay.sinks.registry import sink_types
from tests.integration.sandbox_process import Sandbox
from tests.integration.scripted_sink import drain, queue_deliveries

TOKEN = "123456:a-token-of-the-tests"
CONTENT = {
    "telegram": {"text": "A deal is won"},
    "email": {"subject": "Won", "text": "A deal is won"},
    "apprise": {"text": "A deal is won", "title": "Won"},
}
VENDORS = {"telegram": "telegram", "email": "smtp", "apprise": "apprise"}
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise's own, when it is imported


def make_sink(kind: str, sandbox: Sandbox, **more: object) -> Sink:
    settings = {
        "telegram": {"url": f"{sandbox.url}/telegram", "token": TOKEN, "chat_id": "-100", "rate": "100/s"},
        "email": {
            "host": "127.0.0.1", "port": sandbox.smtp_port, "tls": "none", "sender": "relay@acme.example",
            "recipients": "anna@acme.example", "login": "relay", "password": "s3cret",
        },
        "apprise": {"url": f"json://127.0.0.1:{sandbox.port}/apprise/sales"},
    }  # fmt: skip
    type_ = sink_types()[kind]
    keys = {"type": kind, "timeout": "5s", "retry": ["1ms"], "idempotency": "none", **settings[kind], **more}
    return type_("books", type_.Settings(**keys))


@pytest.fixture
def deliver(run, store, namespace, reader, sandbox) -> Callable:
    """Return a function that drains a message through a sink, and returns the delivery."""

    def deliver(kind: str, **more: object):
        sink = make_sink(kind, sandbox, **more)
        (id,) = queue_deliveries(run, store, [sink.content(CONTENT[kind])])
        run(drain(store, namespace, sink))
        return run(reader.deliveries([id]))[0]

    return deliver


@pytest.mark.parametrize("kind", CONTENT)
def test_a_message_arrives_once(deliver, sandbox, kind):
    assert deliver(kind).state is DeliveryState.DELIVERED
    (request,) = sandbox.requests(VENDORS[kind])
    assert (request["stored"], "A deal is won" in request["body"]) == (True, True)
    assert "a-token-of-the-tests" not in str(request)


@pytest.mark.parametrize("kind", ["telegram", "email"])
@pytest.mark.parametrize(
    ("idempotency", "state", "arrived"), [("none", DeliveryState.HELD, 1), ("honoured", DeliveryState.DELIVERED, 2)]
)
def test_where_the_answer_is_lost_it_is_held_or_comes_twice_as_idempotency_says(
    deliver, sandbox, kind, idempotency, state, arrived
):
    sandbox.fault(fault="reset", vendor=VENDORS[kind], after_storing=True)
    assert deliver(kind, idempotency=idempotency).state is state
    assert [one["stored"] for one in sandbox.requests(VENDORS[kind])] == [True] * arrived


def test_what_apprise_could_not_send_is_sent_again(deliver, sandbox):
    sandbox.fault(fault="status", vendor="apprise", status=503)
    assert deliver("apprise").state is DeliveryState.DELIVERED
    assert [one["status"] for one in sandbox.requests("apprise")] == [503, 200]


def test_a_mail_that_broke_off_before_its_end_is_sent_again(deliver, sandbox):
    sandbox.fault(fault="reset", vendor="smtp", path="/data")
    assert deliver("email").state is DeliveryState.DELIVERED
    assert [one["stored"] for one in sandbox.requests("smtp")] == [False, True]
