"""Marker values of a person, through real processes: no log, page, metric or answer shows them, no dump has them."""

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from relay.amocrm.form import encode_form
from relay.processes.supervisor import Processes
from relay.store.connect import connect
from relay.store.store import Store
from relay.web.admin.api.routes import OPERATIONS
from relay.web.admin.routes import page_routes
from tests.e2e.harness import HookSender, request_json, run_relay, sandbox_requests, until
from tests.integration.test_erasures import dump

PHONE, EMAIL = "+79037778899", "marker.zinaida@example.com"
PERSON = ("9037778899", "903 777", "marker.zinaida", "MarkerZinaida")
SHOWN = (*PERSON, "marker-hook-token", "marker-bearer-token", "marker-api-key")
JSON = {"Content-Type": "application/json"}
STORED = (*PERSON, "MarkerNote")
CONFIG = """
sources:
  acme: {type: amocrm, token: marker-hook-token}
sinks:
  books:
    type: http
    idempotency: honoured
    url: "${RELAY_SANDBOX_URL}/good"
    auth: {bearer: marker-bearer-token}
  list:
    type: unisender
    api_key: marker-api-key
    list_ids: [20547]
    double_optin: 3
    url: "${RELAY_SANDBOX_URL}/unisender"
routes:
  - name: people
    on: [add_contact, update_contact]
    to: books
    path: /people
    body: {name: "{{ contact.name }}", to: "{{ contact.phone }}", mail: "{{ contact.email }}"}
  - name: letters
    on: add_contact
    to: list
    fields: {email: "{{ contact.email }}", Name: "{{ contact.name }}"}
"""


def contact(name: str, action: str = "add", note: str = "") -> bytes:
    fields = [
        {"id": str(n), "name": label, "code": code, "values": [{"value": value, "enum": "1"}]}
        for n, (label, code, value) in enumerate([("Телефон", "PHONE", PHONE), ("Email", "EMAIL", EMAIL)])
    ]
    data = {"id": "77", "name": name, "about": note, "custom_fields": fields, "last_modified": "1795440000"}
    return encode_form({"contacts": {action: [data]}})


def drive(processes: Processes) -> list[str]:
    """Send hooks of a person: whole, in a spelling of theirs, and one that cannot be read. Returns their receipts."""
    sender = HookSender(processes)
    sender._path = "/hooks/acme/marker-hook-token"
    bodies = [
        contact("MarkerZinaida"),
        contact("MarkerZinaida P.", "update", f"MarkerNote: 8 (903) 777-88-99, {EMAIL}"),
        b"note=MarkerNote+%2B7+903+777-88-99",
    ]
    ids = [sender.post_until_taken(body)["receipt"] for body in bodies]
    sender.close()
    return ids


def addresses(processes: Processes, receipts: list[str]) -> Iterator[str]:
    """Yield every address of the pages and the API that may be looked at, of what is there."""
    deliveries = request_json(f"{processes.url}/admin/api/deliveries")["items"]
    actions = request_json(f"{processes.url}/admin/api/actions")["items"]
    ids = {
        "events": [f"{receipts[0]}.0", *receipts], "deliveries": [one["id"] for one in deliveries],
        "actions": [one["id"] for one in actions],
    }  # fmt: skip
    paths = [route.path for route in page_routes() if "GET" in (route.methods or ()) and route.path != "/admin/changes"]
    paths += [f"/admin/api{one.path}" for one in OPERATIONS if one.method == "GET"]
    for path in paths:
        kind = re.sub(r"^/admin/(?:api/)?", "", path).partition("/")[0]
        for id in ids.get(kind, ["1"]) if "{id}" in path else [""]:
            yield path.replace("{id}", id).replace("{name}", "acme" if kind == "sources" else "books")
    yield from ("/metrics", "/healthz", "/readyz", "/admin/api/openapi.json", "/admin/api/capacity?hooks=1000")
    yield "/admin/events?q=state:malformed"


def read(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode(errors="replace")


def found(text: str, markers: tuple[str, ...]) -> list[str]:
    lower = text.casefold()
    return [one for one in markers if one.casefold() in lower]


def test_a_person_is_nowhere_shown_and_after_an_erasure_nowhere_stored(tmp_path: Path) -> None:
    with run_relay(tmp_path, CONFIG, RELAY_SECRET_KEY="a-secret-key-of-thirty-two-letters") as processes:
        receipts = drive(processes)
        until(lambda: len([one for one in sandbox_requests(processes) if one["method"] == "POST"]) >= 3, what="sending")
        until(lambda: all_ended(processes), 20, "the end of all deliveries")
        shown = {path: found(read(processes.url + path), SHOWN) for path in set(addresses(processes, receipts))}
        assert {path: markers for path, markers in shown.items() if markers} == {}
        assert len(shown) > 60, "pages and lists were visited"
        erase(processes)
        assert logs(processes, (*SHOWN, "MarkerNote")) == {}
        assert found(asyncio.run(stored(processes)), STORED) == []
        assert on_disk(processes, STORED) == {}
        asked = [one["body"] for one in sandbox_requests(processes) if one["path"].endswith("/exclude")]
        assert len(asked) == 1


def all_ended(processes: Processes) -> bool:
    deliveries = request_json(f"{processes.url}/admin/api/deliveries")["items"]
    return len(deliveries) == 3 and all(one["state"] == "delivered" for one in deliveries)


def erase(processes: Processes) -> None:
    """Erase the person, and wait for the end of it."""
    api = f"{processes.url}/admin/api"
    who = {"phone": PHONE, "why": "asked"}
    shown = request_json(f"{api}/people/erase", {**who, "dry_run": True}, headers=JSON)["preview"]
    assert (shown["events"], shown["unreadable"]) == (2, 1)
    started = request_json(f"{api}/people/erase", who, headers=JSON)["started"]
    ended = lambda: request_json(f"{api}/actions/{started['id']}")["action"]["state"] == "done"  # noqa: E731
    until(ended, what="the end of the erasure")


def logs(processes: Processes, markers: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the markers in each log of a process of the relay; what the fakes log is no part of it."""
    texts = {path.name: path.read_text(errors="replace") for path in (processes.folder / "logs").glob("*.log")}
    texts = {name: text for name, text in texts.items() if not name.startswith("sandbox")}
    assert "action.ended" in "".join(texts.values())
    return {name: markers for name, text in texts.items() if (markers := found(text, markers))}


async def stored(processes: Processes) -> str:
    client = connect(processes.environ["REDIS_URL"], answer_seconds=10)
    try:
        text = await dump(Store(client))
        await client.execute_command("BGREWRITEAOF")
        for _ in range(600):
            if not (await client.info("persistence"))["aof_rewrite_in_progress"]:
                return text
            await asyncio.sleep(0.05)
        raise AssertionError("the store's file was not rewritten")
    finally:
        await client.aclose()


def on_disk(processes: Processes, markers: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the markers in the files of the store."""
    files = [path for path in (processes.folder / "store").rglob("*") if path.is_file()]
    assert any("appendonly" in path.name for path in files)
    texts = {path.name: path.read_bytes().decode(errors="replace") for path in files}
    return {name: there for name, text in texts.items() if (there := found(text, markers))}
