"""What stands in the broker's lists and is no message of ours: no worker ends by it, and hooks go on."""

import json
from contextlib import closing
from pathlib import Path

import redis

from tests.e2e.harness import TOKEN, HookSender, lead_hook, run_relay, until

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: {TOKEN}}}
sinks:
  console: {{type: log}}
routes:
  - {{name: leads, on: add_lead, to: console, body: {{id: "{{{{ lead.id }}}}"}}}}
"""
_PROPERTIES = {"delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": "route"}}
_MESSAGE = {"body": "e30=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {}}
MESSAGES = [
    b"no JSON", b"", b"\xff\xfe", b"[" * 5000, b"null", b"1", b'"text"', b"[]", b"{}", b'{"body": "e30="}',
    *(json.dumps(message).encode() for message in (
        {**_MESSAGE, "properties": None},
        {**_MESSAGE, "properties": {}},
        {**_MESSAGE, "properties": {**_PROPERTIES, "delivery_info": None}},
        {**_MESSAGE, "properties": {**_PROPERTIES, "body_encoding": "base64"}, "body": "***"},
        {**_MESSAGE, "properties": {**_PROPERTIES, "body_encoding": "rot13"}},
        {**_MESSAGE, "properties": {**_PROPERTIES, "delivery_tag": ["a"]}},
        {**_MESSAGE, "properties": _PROPERTIES},
        {**_MESSAGE, "properties": _PROPERTIES, "headers": None},
        {**_MESSAGE, "properties": _PROPERTIES, "headers": {"task": "relay.nothing", "id": "1"}},
        {**_MESSAGE, "properties": _PROPERTIES, "headers": {"task": ["relay.drain"], "id": {}}, "body": "[[], {}, {}]"},
        {**_MESSAGE, "properties": _PROPERTIES, "content-type": "application/x-python-serialize"},
        {**_MESSAGE, "properties": _PROPERTIES, "content-encoding": "no-such-encoding"},
    )),
]  # fmt: skip


def test_no_message_in_the_broker_ends_a_worker(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG) as relay:
        assert relay.broker is not None
        worker = relay.pid("worker")
        with redis.Redis.from_url(relay.broker.url) as client:
            for message in MESSAGES:
                for queue in ("relay:route", "relay:drain"):
                    client.lpush(queue, message)
                until(lambda: not client.exists("relay:route", "relay:drain"), 15, f"{message[:60]!r} to be taken")
                relay.check()
        with closing(HookSender(relay)) as sender:
            sender.post_until_taken(lead_hook(7))
        until(lambda: "delivery.attempted" in relay.log("worker"), what="a delivery")
        relay.check()
        assert relay.pid("worker") == worker
        assert "broker.unreadable" in relay.log("worker")
        assert "worker.started" in relay.log("worker").split("broker.unreadable")[0]
