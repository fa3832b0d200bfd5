"""Bodies as forwarders and tests by hand send them, over HTTP: what of them is routed, and what is said of the rest."""

import asyncio
import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from contextlib import closing

import pytest

from relay.model import ReceiptState
from relay.processes.supervisor import Processes
from relay.store.stored import StoredReceipt
from tests.e2e.harness import TOKEN, open_reader, run_relay, until

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: {TOKEN}}}
sinks:
  console: {{type: log}}
routes:
  - {{name: leads, on: add_lead, to: console, body: {{id: "{{{{ lead.id }}}}"}}}}
ingress: {{max_body: 64KiB}}
"""
FORM = "application/x-www-form-urlencoded"
TIMED = b"leads[add][0][id]=5&leads[add][0][last_modified]=1"
PART = b'--b\r\nContent-Disposition: form-data; name="leads[add][0][id]"\r\n\r\n1\r\n'


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with run_relay(tmp_path_factory.mktemp("odd"), CONFIG) as processes:
        yield processes


def post(relay: Processes, body: bytes, content_type: str, coding: str = "") -> dict[str, object]:
    headers = {"Content-Type": content_type, **({"Content-Encoding": coding} if coding else {})}
    with closing(http.client.HTTPConnection("127.0.0.1", relay.port, timeout=30)) as connection:
        connection.request("POST", f"/hooks/acme/{TOKEN}", body, headers)
        answer = connection.getresponse()
        assert answer.status == 202
        return json.loads(answer.read())


def routed(relay: Processes, id: str) -> StoredReceipt:
    """Return a receipt once it is no longer in the inbox."""

    async def read() -> StoredReceipt:
        with open_reader(relay) as reader:
            (receipt,) = await reader.receipts([id])
            await reader.client.aclose()
            return receipt

    return until(lambda: found if (found := asyncio.run(read())).state is not ReceiptState.ACCEPTED else None)


@pytest.mark.parametrize(
    ("content_type", "body", "coding", "remarks"),
    [
        (FORM, b"leads[add][0][id]=1&tags[]=a", "", 1),
        (FORM, b"debug&leads[add][0][id]=1", "", 1),
        (FORM, b"\xef\xbb\xbfleads[add][0][id]=1&amp;leads[add][0][name]=x", "", 0),
        (FORM, b'{"body":{"leads[add][0][id]":"1"}}', "", 1),
        ("application/json", b'\xef\xbb\xbf{"leads":{"add":{"id":1}}}', "", 0),
        ("multipart/form-data; boundary=b", PART + b"--b--\r\n", "", 0),
        (FORM, gzip.compress(b"leads[add][0][id]=1"), "gzip", 0),
        (FORM, zlib.compress(b"leads[add][0][id]=1"), "deflate", 0),
        (f"{FORM}; charset=windows-1251", "leads[add][0][id]=1&leads[add][0][name]=Жук".encode("cp1251"), "", 0),
    ],
    ids=["tags", "debug", "mark and amp", "n8n", "1C", "multipart", "gzip", "deflate", "cp1251"],
)
def test_the_event_is_routed_and_the_rest_remarked(
    relay: Processes, content_type: str, body: bytes, coding: str, remarks: int
) -> None:
    receipt = routed(relay, str(post(relay, body, content_type, coding)["receipt"]))
    assert receipt.state is ReceiptState.ROUTED
    assert [(event.name, event.entity_id) for event in receipt.events] == [("add_lead", "1")]
    assert len(receipt.remarks) == remarks
    assert (receipt.size, receipt.content_type, receipt.content_encoding) == (len(body), content_type, coding)


def test_a_bomb_is_taken_and_malformed_and_its_body_stays(relay: Processes) -> None:
    bomb = gzip.compress(b"leads[add][0][id]=1&x=" + b"a" * 50_000_000)
    id = str(post(relay, bomb, FORM, "gzip")["receipt"])
    receipt = routed(relay, id)
    assert receipt.state is ReceiptState.MALFORMED
    assert receipt.reason == "body: it inflates to over 65,536 bytes, the limit (ingress.max_body)"

    async def read() -> bytes | None:
        with open_reader(relay) as reader:
            raw = await reader.raw_receipt(id)
            await reader.client.aclose()
            return raw and raw.body

    assert asyncio.run(read()) == bomb


def test_a_repetition_is_a_duplicate_however_it_is_compressed(relay: Processes) -> None:
    first = post(relay, TIMED, FORM)
    for body, coding in ((gzip.compress(TIMED), "gzip"), (zlib.compress(TIMED), "deflate"), (TIMED, "")):
        assert post(relay, body, FORM, coding) == {"receipt": first["receipt"], "duplicate": True}
