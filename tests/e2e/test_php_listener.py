"""A listener written against PHP's $_POST cannot tell the relay's calls from amoCRM's own."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from yarl import URL

from relay.config.load import load
from relay.config.schema import SubscribersSection
from relay.model import Delivery, Outcome, Receipt, Subscription
from relay.planning import plan_receipt
from relay.processes.ports import free_port
from relay.sinks.ssrf_guard import open_guarded_session
from relay.sinks.subscriber.sink import SubscriberSink
from relay.sinks.tools import Tools
from relay.transport import Request, Response, call

pytestmark = pytest.mark.skipif(
    shutil.which("php") is None and not os.environ.get("CI"), reason="needs php-cli: apt-get install php-cli php-curl"
)

HOOKS = Path(__file__).parents[1] / "fixtures" / "amocrm"
ALLOW = SubscribersSection(allow=("127.0.0.1/32",))
CONFIG = load("sources: {acme: {type: amocrm, token: long-enough}}", file="x", environ={}, sink_types={})

# amoCRM's own unusual spellings of a fact; sent on they have the usual one.
RESPELLED = {"lead_delete_no_index", "lead_delete_scalar", "lead_status_no_index", "task_double_nested"}
SEVERAL = {"several", "contact_cut"}  # several events, or one of which not all is there
ALIKE = sorted({path.stem for path in HOOKS.glob("*.form")} - RESPELLED - SEVERAL)


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """Run the listener; return its address, and a function that returns what it read."""
    file = tmp_path_factory.mktemp("php") / "read.jsonl"
    file.touch()
    port = free_port()
    script = Path(__file__).parent / "php" / "listener.php"
    environ = {**os.environ, "LISTENER_FILE": str(file)}
    with (file.parent / "log").open("wb") as log:
        process = subprocess.Popen(["php", "-S", f"127.0.0.1:{port}", script], env=environ, stdout=log, stderr=log)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}/", lambda: [json.loads(line) for line in file.read_text().splitlines()]
    finally:
        process.terminate()
        process.wait()


def wait_for(port):
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end, "php did not start"
            time.sleep(0.01)


def send_on(url, *hooks):
    """Plan hooks for a subscriber to all of their events, and send the deliveries."""

    async def send():
        session = open_guarded_session(lambda: ALLOW.allow)
        for hook in hooks:
            receipt = Receipt(id="r1", source="acme", received_at=5, body=(HOOKS / f"{hook}.form").read_bytes())
            subscription = Subscription(
                id=1, source="acme", url=url, name="", events=names(receipt), disabled=False, disabled_reason="",
                created_at=1, updated_at=1, created_by="", sort=0,
            )  # fmt: skip
            for made in plan_receipt(receipt, CONFIG, {}, {"acme": [subscription]}).deliveries:
                sink = SubscriberSink(subscription, ALLOW, None)
                result = await sink.send(to_delivery(made), Tools(session=session, shared=None, now=time.time))
                assert result.outcome is Outcome.DELIVERED
        await session.close()

    asyncio.run(send())


def names(receipt):
    return frozenset(event.name for event in plan_receipt(receipt, CONFIG, {}).events)


def to_delivery(made):
    return Delivery(
        id=made.id, event_id=made.event_id, source="acme", route=made.route, sink=made.sink, content=made.content,
        accepted_at=5, created_at=5, attempts=0, deaths=0, token="t", sending=False,
    )  # fmt: skip


def send_itself(url, hook):
    """Post a hook as amoCRM did."""

    async def send():
        session = open_guarded_session(lambda: ALLOW.allow)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "amoCRM-Webhooks/3.0"}
        body = (HOOKS / f"{hook}.form").read_bytes()
        answer = await call(session, Request(method="POST", url=URL(url), headers=headers, body=body, timeout_ms=5_000))
        await session.close()
        assert isinstance(answer, Response)
        assert answer.status == 200

    asyncio.run(send())


def test_it_gets_status_lead_and_reads_the_lead(listener):
    url, read = listener
    send_on(url, "lead_won")
    last = read()[-1]
    assert last["agent"] == "amoCRM-Webhooks/3.0"
    assert last["lead"] == {
        "event": "status_lead",
        "id": 31926521,
        "name": "Поставка кофемашин",
        "status_id": 142,
        "price": 184500,
    }


@pytest.mark.parametrize("hook", ALIKE)
def test_php_reads_the_very_same_from_both(listener, hook):
    url, read = listener
    before = len(read())
    send_itself(url, hook)
    send_on(url, hook)
    from_amocrm, from_relay = read()[before:]
    assert from_relay == from_amocrm


def test_an_unusual_spelling_is_sent_on_in_the_usual_one(listener):
    url, read = listener
    before = len(read())
    send_on(url, "lead_status_no_index")
    (last,) = read()[before:]
    assert last["lead"]["event"] == "status_lead"
