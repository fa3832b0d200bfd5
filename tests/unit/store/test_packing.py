"""What is packed is unpacked as it was, whatever it is."""

import hashlib
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.store.packing import (
    MOST_BYTES,
    MOST_PARTS,
    DeliveryRecords,
    ReceiptRecords,
    digest_of,
    made_deliveries,
    may_be_packed,
    pack,
    read_index,
    stored_body,
    unpack,
)
from relay.store.packing_words import WORDS

FOLDER = Path(__file__).parents[2] / "fixtures" / "amocrm"
RECEIPT = {b"src": b"acme", b"at": b"1790000000000", b"size": b"1957", b"state": b"routed", b"open": b"0",
           b"ct": b"application/x-www-form-urlencoded", b"ua": b"amoCRM-Webhooks/3.0", b"rq": b"q1", b"z": b"1",
           b"e:0": b'["status_lead","lead","7","routed",""]', b"d:d1": b"0", b"d:other": b"0", b"reason": b"",
           b"cfg": b"20dfa98b4f7f", b"w:h1:0": b""}  # fmt: skip
DELIVERY = {b"ev": b"r1.0", b"src": b"acme", b"route": b"invoices", b"sink": b"books", b"acc": b"1790000000000",
            b"at": b"1790000000001", b"att": b"1", b"state": b"delivered", b"cfg": b"20dfa98b4f7f", b"c": b"r1:c1",
            b"size": b"9", b"reason": b"200 OK", b"done": b"1790000000002", b"tok": b""}  # fmt: skip
STORY = [b'1|delivered|{"number":1,"outcome":"delivered"}']
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(str.encode)
names = texts.filter(lambda name: not name.startswith((b"e:", b"d:", b"w:", b"c:")))
hashes = st.dictionaries(names, texts, max_size=5)


def records(receipt=(), delivery=(), body=b"leads[add][0][id]=1", story=STORY, contents=b"content") -> ReceiptRecords:
    return ReceiptRecords(
        id="r1",
        fields=RECEIPT | dict(receipt),
        body=body,
        deliveries={"d1": DeliveryRecords(fields=DELIVERY | dict(delivery), story=story)},
        contents={"r1:c1": contents},
    )


@given(hashes, hashes, st.binary(max_size=200), st.lists(st.binary(max_size=50), max_size=5), st.binary(max_size=200))
def test_it_is_unpacked_as_it_was(receipt, delivery, body, story, contents):
    before = records({**receipt, **RECEIPT}, {**delivery, **DELIVERY}, body, story, contents)
    assert may_be_packed(before)
    assert unpack("r1", pack(before)) == before


def test_a_receipt_without_events_or_deliveries_is_unpacked_as_it_was():
    fields = {name: value for name, value in RECEIPT.items() if not name.startswith((b"e:", b"d:", b"w:"))}
    before = ReceiptRecords(id="r1", fields=fields, body=b"nonsense", deliveries={}, contents={})
    assert may_be_packed(before)
    assert unpack("r1", pack(before)) == before


def test_lists_read_the_index():
    index = read_index(pack(records({b"rec": b"1"})))
    assert (index.source, index.state, index.recovered) == ("acme", "routed", True)
    assert list(index.events) == [("status_lead", "lead", "7", "routed", "")]
    (delivery,) = index.deliveries
    assert (delivery.index, delivery.id, delivery.own_index, delivery.sink) == (0, "d1", 0, "books")
    assert (delivery.route, delivery.state, delivery.reason) == ("invoices", "delivered", "200 OK")
    assert list(index.others) == [(0, "other")]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.form")), ids=lambda path: path.stem)
def test_a_body_is_compressed_again_as_it_was_stored(path):
    body = path.read_bytes()
    before = records(body=body)
    after = unpack("r1", pack(before))
    assert zlib.decompress(stored_body(after)) == body
    plain = {name: value for name, value in RECEIPT.items() if name != b"z"}
    assert stored_body(msgspec.structs.replace(after, fields=plain)) == body


def test_a_hook_of_two_kilobytes_and_its_delivery_take_less_than_a_third_of_the_hook():
    body = (FOLDER / "lead_won.form").read_bytes()
    assert len(pack(records(body=body))) * 3 < len(body)


@pytest.mark.parametrize(
    ("receipt", "delivery", "more"),
    [
        pytest.param({b"open": b"1"}, {}, {}, id="something is open"),
        pytest.param({b"dead": b"1"}, {}, {}, id="it has a dead letter"),
        pytest.param({}, {b"state": b"pending"}, {}, id="a delivery is pending"),
        pytest.param({}, {b"state": b"dead"}, {}, id="a delivery is dead"),
        pytest.param({}, {b"state": b"skipped", b"once": b"1"}, {}, id="the place of a delivery may be taken"),
        pytest.param({b"e:%d" % n: b"" for n in range(MOST_PARTS)}, {}, {}, id="many parts"),
        pytest.param({}, {}, {"body": b"1" * MOST_BYTES}, id="large"),
        pytest.param({}, {}, {"story": STORY * 200}, id="a long story"),
        pytest.param({b"ua": b"a\0b"}, {}, {}, id="a sign that separates texts"),
    ],
)
def test_what_may_not_be_packed(receipt, delivery, more):
    assert not may_be_packed(records(receipt, delivery, **more))


def test_any_change_is_told():
    def digest(one: ReceiptRecords) -> str:
        return digest_of(one.fields, one.deliveries.values())

    changed = [records({b"dups": b"1"}), records({}, {b"reason": b"201"}), records(story=[*STORY, b"1"])]
    assert len({digest(one) for one in [records(), *changed]}) == 4


def test_only_its_own_deliveries_are_packed_with_it():
    own, other = dict(DELIVERY), DELIVERY | {b"ev": b"r2.0"}
    assert made_deliveries("r1", {"d1": own, "d2": other, "gone": {}}) == {"d1": own}


def test_a_value_of_another_format_is_refused():
    with pytest.raises(ValueError, match="another format"):
        unpack("r1", b"2|" + pack(records())[2:])


def test_the_words_in_common_never_change():
    """Whoever has to change them makes another format: what is packed could not be read any more."""
    assert hashlib.blake2b(WORDS, digest_size=16).hexdigest() == "f98b47b0160cc12805247032c487c811"
