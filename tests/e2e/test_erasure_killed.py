"""`relay people erase`, killed at each of its steps: nothing of the person stays, and all is done once."""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from relay.processes.supervisor import Processes
from relay.store.connect import connect
from relay.store.store import Store
from relay.store.stored import StoredDelivery
from tests.e2e.harness import (
    HookSender,
    pause_request,
    paused_requests,
    release_requests,
    request_json,
    run_relay,
    sandbox_requests,
    until,
)
from tests.e2e.test_people_masked import found, on_disk, stored
from tests.integration.invariants import broken_invariants
from tests.integration.test_erasures import contacts, item

PHONE, EMAIL, NAME = "+79161234567", "marker.petrova@example.com", "Marker Petrova"
MARKERS: Final = ("9161234567", "916 123", "marker.petrova", "Marker", "arkernote")
WHO: Final = ("people", "erase", "--phone", PHONE, "--yes", "--by", "anna", "--why", "asked")
ALL_SINKS: Final = ("books", "list", "closed", "small", "slow")
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  books: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/good"}
  list: {type: unisender, api_key: a-key, list_ids: [20547], double_optin: 3, url: "${RELAY_SANDBOX_URL}/unisender"}
  closed: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/good"}
  small: {type: http, idempotency: honoured, max_pending: 1, url: "${RELAY_SANDBOX_URL}/good"}
  slow: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/good"}
routes:
  - {name: people, on: update_contact, to: books, path: /people, body: {name: "{{ contact.name }}"}}
  - {name: letters, on: add_contact, to: list, fields: {email: "{{ contact.email }}", Name: "{{ contact.name }}"}}
  - {name: waiting, on: add_contact, to: [closed, small], path: /people, body: {name: "{{ contact.name }}"}}
  - {name: slowly, on: delete_contact, to: slow, path: /slow, body: {name: "{{ contact.name }}"}}
"""
# What an erasure writes with, in turn: the store has it, and the worker does not hear of it.
PLACES: Final = ("cancel_put_off:1:after", "save_replayed:1:after", "erase_people:1:after", "change_action:1:after")
SEEDS: Final = range(int(os.environ.get("ERASURE_SEEDS", "0")))  # more of them by hand: other places, drawn by each


def random_places(seed: int) -> tuple[str, ...]:
    chance = random.Random(seed)
    return tuple(f"any:{chance.randint(1, 7)}:{chance.choice(['before', 'after'])}" for _ in range(4))


@contextmanager
def relay_with_a_person(folder: Path) -> Iterator[Processes]:
    """Run a relay in which a person is in every place: sent, packed, waiting, put off, in flight, and unreadable."""
    with run_relay(folder, CONFIG, RELAY_SECRET_KEY="a-secret-key-of-thirty-two-letters") as relay:
        for sink in ("closed", "small"):
            request_json(f"{relay.url}/admin/api/sinks/{sink}/pause", {"why": "test"}, headers=_JSON)
        pause_request(relay, "stored", path="/slow")
        sender = HookSender(relay)
        sender.post_until_taken(contacts(item(1), action="update"))
        until(lambda: states(relay) == {"books": "delivered"}, what="what is to be packed")
        assert asyncio.run(in_store(relay, lambda store: store.packing.pack_next(1 << 52, 20, -60_000)))
        for body in (
            contacts(item(1)),
            contacts(item(1, name="Marker P.")),
            contacts(item(2, name="Boris", phone="+79265554433", email="boris@example.com")),
            b"markernote=call+%2B7+916+123-45-67",
            contacts(item(1), action="delete"),
        ):
            sender.post_until_taken(body)
        sender.close()
        until(lambda: len(paused_requests(relay)) == 1, what="one to be in flight")
        until(lambda: states(relay, "list") == {"list": "delivered"}, what="the sending")
        yield relay


@pytest.mark.parametrize("places", [PLACES, *map(random_places, SEEDS)], ids=lambda places: "-".join(places))
def test_at_whatever_step_it_is_killed_the_person_is_gone_and_all_is_done_once(
    tmp_path: Path, places: tuple[str, ...]
) -> None:
    with relay_with_a_person(tmp_path) as relay:
        relay.kill("worker")  # with a call under way
        release_requests(relay)
        assert run_killed(relay, "start_action:1:after", *WHO) == -9
        relay.kill("web")
        assert "has not ended" in command(relay, *WHO)
        for place in places:
            assert run_killed(relay, place, "worker") == -9, place
        relay.start("worker", "web")
        check_end(relay)


def check_end(relay: Processes) -> None:
    """Check that the one erasure is done, that it asked once, and that the person is nowhere."""
    until(lambda: has_ended(relay), 120, "the end of the erasure")
    actions = request_json(f"{relay.url}/admin/api/actions")["items"]
    assert [(one["kind"], one["state"], one["why"]) for one in actions] == [("erase", "done", "asked")]
    results = actions[0]["results"]
    started = [one for one in request_json(f"{relay.url}/admin/api/audit")["items"] if one["act"] == "start erase"]
    assert (len(started), results) == (1, {"erased": 5, "new": 1, "not asked": 2})
    assert asked(relay) == 1
    people = [one for one in all_deliveries(relay) if one.route != "erasure" and one.event_id not in of_boris(relay)]
    ends = Counter((one.sink, str(one.state)) for one in people)
    assert ends.keys() <= ENDS, ends
    assert asyncio.run(in_store(relay, broken_invariants)) == []
    text = asyncio.run(stored(relay))
    assert found(text, MARKERS) == []
    assert "Boris" in text
    assert on_disk(relay, MARKERS) == {}


ENDS: Final = {
    ("books", "delivered"), ("list", "delivered"), ("closed", "cancelled"), ("small", "cancelled"),
    ("slow", "cancelled"), ("slow", "delivered"),
}  # fmt: skip
_JSON: Final = {"Content-Type": "application/json"}


def start_killed(relay: Processes, place: str, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.e2e.killed_process", *arguments]
    log = (relay.folder / "logs" / "killed.log").open("ab")
    with log:
        return subprocess.Popen(command, env={**relay.environ, "KILL_AT": place}, stdout=log, stderr=log)


def run_killed(relay: Processes, place: str, *arguments: str) -> int:
    """Run it until it is killed; a worker that has nothing left to do lives until the erasure has ended."""
    process = start_killed(relay, place, *arguments)
    try:
        until(lambda: process.poll() is not None or (place.startswith("any") and has_ended(relay)), 120, place)
    finally:
        process.kill()
        status = process.wait()
    return status


def command(relay: Processes, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "relay", *arguments], env=relay.environ, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


async def in_store(relay: Processes, do):
    client = connect(relay.environ["REDIS_URL"], answer_seconds=10)
    try:
        return await do(Store(client))
    finally:
        await client.aclose()


def has_ended(relay: Processes) -> bool:
    async def read(store: Store) -> bool:
        (action,) = await store.actions.newest(5)
        return action.state != "running"

    return asyncio.run(in_store(relay, read))


def all_deliveries(relay: Processes) -> list[StoredDelivery]:
    from relay.store.reader import Reader

    async def read(store: Store) -> list[StoredDelivery]:
        reader = Reader(store.client)
        receipts = await reader.receipts(await reader.receipts_between(None, None, 0, 100))
        return await reader.deliveries([id for one in receipts for id in one.deliveries])

    return asyncio.run(in_store(relay, read))


def of_boris(relay: Processes) -> set[str]:
    return {one.event_id for one in all_deliveries(relay) if one.sink == "closed" and one.state == "pending"}


def states(relay: Processes, *sinks: str) -> dict[str, str]:
    return {one.sink: str(one.state) for one in all_deliveries(relay) if not sinks or one.sink in sinks}


def asked(relay: Processes) -> int:
    return len([one for one in sandbox_requests(relay) if one["path"].endswith("/exclude")])
