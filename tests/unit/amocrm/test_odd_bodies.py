"""A body that is a little off loses only what cannot be read: every event that can be is kept, the rest is remarked."""

import gzip
import json
import re
import zlib
from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from relay.amocrm.content_encoding import inflate
from relay.amocrm.events import decode_receipt
from relay.amocrm.multipart import decode_multipart
from relay.amocrm.remarks import MAX_REMARKS, ignore, limit_remarks
from relay.errors import Malformed
from relay.model import Receipt

# Without the time in them: it would stand in the tests' names.
gzipped = partial(gzip.compress, mtime=0)

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
LEAD = "leads[add][0][id]=1"
PLAIN = b"leads[add][0][id]=1&leads[add][0][name]=" + b"x" * 300


def receipt(body: bytes | str, content_type: str = FORM, content_encoding: str = "") -> Receipt:
    sent = body.encode() if isinstance(body, str) else body
    return Receipt(
        id="r1", source="acme", received_at=5, body=sent, content_type=content_type, content_encoding=content_encoding
    )


def read(body: bytes | str, content_type: str = FORM, content_encoding: str = "") -> tuple[list[object], list[str]]:
    """Return the events of a body, and the remarks."""
    remarks: list[str] = []
    _, events = decode_receipt(receipt(body, content_type, content_encoding), remarks.append)
    return [(event.name, event.entity_id, event.data) for event in events], remarks


ADDED = [("add_lead", "1", {"id": "1"})]
STATUS = [("status_lead", "5", {"id": "5"})]


class TestWhatIsNoEvent:
    @pytest.mark.parametrize(
        ("body", "remark"),
        [
            (f"{LEAD}&tags[]=a", "'tags': an index where its action is expected, as in tags.update..0..id.$"),
            (f"tags[]=a&{LEAD}", "'tags': an index where its action is expected"),
            (f"{LEAD}&leads[5][id]=1", r"'leads\[5\]': an index where its action is expected"),
            (f"{LEAD}&add[0][id]=m1", "'add': an entity is expected before it"),
            (f"debug&{LEAD}", r"field 1 \('debug'\): no '=' after it, its value is read as empty"),
            (f"{LEAD}&debug", r"field 2 \('debug'\): no '=' after it"),
            (f"{LEAD}&debug=1", "'debug': a value where an entity is expected"),
            (f"{LEAD}&le-ads[add][0][id]=2", "'le-ads': it names no entity"),
            (f"{LEAD}&leads[a d][0][id]=2", r"'leads\[a d\]': it names no action"),
            (f"{LEAD}&body[add][0][id]=2", "'body': it names no entity"),
            (f"{LEAD}&x[leads][0][id]=2", r"'x\[leads\]': it names no action"),
            (
                f"{LEAD}&contacts[add][0][la",
                r"field 2 .*la'\): no '=' after it, the body was cut in the middle of a key",
            ),
            (f"{LEAD}&leads[add][0][x=2", r"field 2 .*: its brackets do not pair up"),
            (f"{LEAD}&a{'[b]' * 16}=1", r"field 2 .*: 17 levels, at most 16"),
            (f"{LEAD}&a[{'b' * 600}]=1", r"field 2 .*: 603 characters, at most 512"),
        ],
    )
    def test_is_remarked_and_the_event_beside_it_lives(self, body: str, remark: str) -> None:
        events, remarks = read(body)
        assert events == ADDED
        assert len(remarks) == 1
        assert re.search(remark, remarks[0])

    @pytest.mark.parametrize(
        ("body", "name", "entity_id"),
        [
            ("add[0][id]=m1&add[0][talk_id]=7&add[0][text]=Hi", "add_message", "m1"),
            ("add[id]=m1&add[talk_id]=7", "add_message", "m1"),
            ("add[0][type]=waba&add[0][id]=t1", "add_chat_template_review", "t1"),
        ],
    )
    def test_chats_that_come_without_an_entity_are_recognised(self, body: str, name: str, entity_id: str) -> None:
        events, remarks = read(body)
        assert [event[:2] for event in events] == [(name, entity_id)]
        assert remarks == []


class TestInFront:
    @pytest.mark.parametrize(
        "junk", ["\ufeff", "\r\n", " ", "?", "\ufeff\r\n ?", "%EF%BB%BF", "%0A", "+", "&", "\t", "\u200b", "amp;"]
    )
    def test_what_stands_before_the_first_name_is_dropped(self, junk: str) -> None:
        assert read(f"{junk}{LEAD}&leads[add][0][name]=x") == ([("add_lead", "1", {"id": "1", "name": "x"})], [])

    def test_an_escaped_ampersand_is_one(self) -> None:
        body = "leads[add][0][id]=1&amp;leads[add][0][name]=R&amp;account[subdomain]=acme"
        account, (event,) = decode_receipt(receipt(body))
        assert (event.name, event.data, account.subdomain) == ("add_lead", {"id": "1", "name": "R"}, "acme")

    def test_in_a_value_everything_stays(self) -> None:
        assert read(f"{LEAD}&leads[add][0][name]=%EF%BB%BF ?a;b")[0][0][2]["name"] == "\ufeff ?a;b"


class TestBytes:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (b"%D0%9F%D0", "П\ufffd"),
            (b"%FFx", "\ufffdx"),
            (b"\xd0\x9f\xd0", "П\ufffd"),
            (b"\xd0\x9f%FF", "П\ufffd"),
            (b"a%ED%A0%BD%ED%B8%80b", "a" + "\ufffd" * 6 + "b"),  # CESU-8
        ],
    )
    def test_what_is_not_utf8_is_replaced_in_its_value_alone(self, value: bytes, text: str) -> None:
        events, remarks = read(b"leads[add][0][id]=1&leads[add][0][name]=" + value)
        assert events == [("add_lead", "1", {"id": "1", "name": text})]
        assert [remark.partition(",")[0] for remark in remarks] == ["field 2 ('leads[add][0][name]'): not UTF-8"]

    def test_in_a_key_too(self) -> None:
        events, remarks = read(f"{LEAD}&leads[add][0][%D0]=x")
        assert events == [("add_lead", "1", {"id": "1", "\ufffd": "x"})]
        assert len(remarks) == 1

    @pytest.mark.parametrize("charset", ["windows-1251", "Windows-1251", '"cp1251"', "koi8-r", "ibm866"])
    @pytest.mark.parametrize("escaped", [False, True])
    def test_a_declared_charset_is_decoded(self, charset: str, escaped: bool) -> None:
        name = "Анна & Ко = 100%".encode(charset.strip('"'))
        sent = "".join(f"%{byte:02X}" for byte in name).encode() if escaped else name.replace(b" & ", b"+%26+")
        events, remarks = read(b"leads[add][0][id]=1&leads[add][0][name]=" + sent, f"{FORM}; charset={charset}")
        assert events == [("add_lead", "1", {"id": "1", "name": "Анна & Ко = 100%"})]
        assert remarks == []

    def test_json_in_a_declared_charset_keeps_its_percents(self) -> None:
        body = '{"leads": {"add": {"id": 1, "name": "Анна %41"}}}'.encode("cp1251")
        assert read(body, f"{JSON};charset=windows-1251") == ([("add_lead", "1", {"id": "1", "name": "Анна %41"})], [])

    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "us-ascii", "ISO-8859-1"])
    def test_a_charset_that_clients_declare_by_default_is_utf8_as_for_php(self, charset: str) -> None:
        assert read(f"{LEAD}&leads[add][0][name]=Ж%D0%96", f"{FORM}; charset={charset}")[0][0][2]["name"] == "ЖЖ"

    @pytest.mark.parametrize("charset", ["klingon", "utf-16", "rot-13", "hex", "idna", "utf-7"])
    def test_a_charset_that_is_not_known_is_remarked(self, charset: str) -> None:
        events, remarks = read(LEAD, f"{FORM}; charset={charset}")
        assert events == ADDED
        assert remarks == [f"charset {charset!r} is not known: the body is read as UTF-8"]

    def test_bytes_that_the_charset_does_not_have_are_remarked(self) -> None:
        events, remarks = read(LEAD.encode() + b"&leads[add][0][name]=%98", f"{FORM}; charset=windows-1251")
        assert events == [("add_lead", "1", {"id": "1", "name": "\ufffd"})]
        assert remarks == ["body: not all of it is cp1251: U+FFFD stands for what is not"]


class TestJson:
    @pytest.mark.parametrize("content_type", [JSON, FORM, "", "text/plain"])
    @pytest.mark.parametrize(
        "body",
        [
            '{"leads[status][0][id]":"5"}',
            '\ufeff{"leads":{"status":[{"id":5}]}}',
            '\ufeff\r\n{"leads":{"status":[{"id":5}]}}',
            '[{"leads":{"status":[{"id":5}]}}]',
            '{"leads":{"status[0][id]":5}}',
            "leads[status][0][id]=5",
        ],
    )
    def test_the_first_byte_tells_json_from_a_form_and_keys_are_expanded(self, content_type: str, body: str) -> None:
        assert read(body, content_type) == (STATUS, [])

    @pytest.mark.parametrize(
        "body",
        [
            '{"body":{"leads[status][0][id]":"5"}}',
            '{"headers":{"host":"n8n.example.com"},"params":{},"query":{},"body":{"leads":{"status":[{"id":5}]}}}',
            '{"data":{"leads":{"status":[{"id":5}]}}}',
            '[{"json":{"body":{"leads[status][0][id]":"5"}}}]',
            "body[leads][status][0][id]=5",
        ],
    )
    def test_a_forwarder_s_wrapping_is_no_event(self, body: str) -> None:
        events, remarks = read(body)
        assert events == STATUS
        assert all("the hook is inside of it" in remark for remark in remarks)
        assert remarks

    @pytest.mark.parametrize("body", ["tickets[add][id]=7", "chat[message][id]=7", "tickets[add][0][leads][0][id]=7"])
    def test_an_unknown_entity_is_no_wrapping(self, body: str) -> None:
        assert len(read(body)[0]) == 1
        assert read(body)[1] == []

    def test_half_a_character_is_replaced(self) -> None:
        events, remarks = read('{"leads":{"add":{"id":1,"name":"\\ud83d!\\ud83d\\ude00"}}}')
        assert events == [("add_lead", "1", {"id": "1", "name": "\ufffd!😀"})]
        assert remarks == ["body: not all of it is Unicode: U+FFFD stands for what is not"]


class TestMultipart:
    @pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=b0", FORM, "", "multipart/form-data"])
    def test_it_is_read_whatever_the_content_type(self, content_type: str) -> None:
        part = '--b0\r\nContent-Disposition: form-data; name="leads[add][0][id]"\r\n\r\n1\r\n'
        assert read(f"{part}--b0--\r\n", content_type) == (ADDED, [])

    @pytest.mark.parametrize(
        ("part", "remark"),
        [
            ('Content-Disposition: form-data; name="f"; filename="x"\r\n\r\nx', "field 2 ('f'): a file, left out"),
            ("Content-Disposition: form-data\r\n\r\nx", "part 2: no name or no value, left out"),
            ('Content-Disposition: form-data; name="tags[]"\r\n\r\nx', "'tags': an index where its action is expected"),
        ],
    )
    def test_what_is_no_field_is_remarked(self, part: str, remark: str) -> None:
        lead = 'Content-Disposition: form-data; name="leads[add][0][id]"\r\n\r\n1'
        events, remarks = read(f"--b0\r\n{lead}\r\n--b0\r\n{part}\r\n--b0--", "multipart/form-data; boundary=b0")
        assert events == ADDED
        assert len(remarks) == 1
        assert remarks[0].startswith(remark)

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary={}"])
    @pytest.mark.parametrize("quote", ["", '"'])
    def test_a_boundary_has_70_characters_at_most(self, content_type: str, quote: str) -> None:
        part = '--{}\r\nContent-Disposition: form-data; name="leads[add][0][id]"\r\n\r\n1\r\n--{}--\r\n'
        declared = content_type.replace("{}", f"{quote}{{}}{quote}")
        longest = "b" * 70
        assert read(part.format(longest, longest), declared.format(longest)) == (ADDED, [])
        for length in (71, 1_000_000):
            longer = "b" * length
            with pytest.raises(Malformed, match="multipart without its boundary"):
                decode_multipart(f"--{longer}\r\n".encode(), declared.format(longer))

    def test_over_the_limit_what_fits_is_taken(self) -> None:
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="leads[add][0][x{n}]"\r\n\r\n1\r\n' for n in range(10_003)
        ]
        ((name, _, data),), remarks = read("".join(parts) + "--b--", "multipart/form-data; boundary=b")
        assert (name, len(data)) == ("add_lead", 10_000)
        assert remarks == ["body: 10,003 fields, at most 10,000: the last 3 are left out"]


class TestCompressed:
    @pytest.mark.parametrize(
        ("body", "coding"),
        [
            (gzipped(PLAIN), "gzip"),
            (gzipped(PLAIN), "x-gzip"),
            (gzipped(PLAIN), " GZIP "),
            (gzipped(PLAIN), ""),  # not said, but seen
            (gzipped(PLAIN), "deflate"),
            (zlib.compress(PLAIN), "deflate"),
            (zlib.compress(PLAIN)[2:-4], "deflate"),  # as some clients do: without the header of zlib
            (gzipped(gzipped(PLAIN)), "gzip, gzip"),
            (PLAIN, "identity"),
        ],
    )
    def test_it_is_inflated(self, body: bytes, coding: str) -> None:
        events, remarks = read(body, FORM, coding)
        assert events == [("add_lead", "1", {"id": "1", "name": "x" * 300})]
        assert remarks == []

    @pytest.mark.parametrize(
        ("body", "coding", "remark"),
        [
            (PLAIN, "gzip", "Content-Encoding is gzip, the body is not: read as it came"),
            (PLAIN, "deflate", "Content-Encoding is deflate, the body is not: read as it came"),
            (b'{"leads":{"add":{"id":1}}}', "deflate", "Content-Encoding is deflate, the body is not"),
            (PLAIN, "utf-8", "Content-Encoding 'utf-8' is not known, gzip and deflate are: read as it came"),
            (gzipped(PLAIN)[:-12], "gzip", "body: its gzip was cut, what came of it is read"),
            (gzipped(PLAIN) + b"more", "gzip", "body: 4 bytes after the end of its gzip are left out"),
        ],
    )
    def test_what_can_be_read_of_it_is(self, body: bytes, coding: str, remark: str) -> None:
        (event,), remarks = read(body, FORM, coding)
        assert event[:2] == ("add_lead", "1")
        assert remarks[0].startswith(remark)

    @pytest.mark.parametrize(
        ("body", "coding", "says"),
        [
            (gzipped(b"a" * 2_000), "gzip", "it inflates to over 1,000 bytes"),
            (gzipped(PLAIN)[:-8] + bytes(8), "gzip", "gzip that does not inflate, it is damaged"),
            (gzipped(PLAIN), "gzip, gzip, gzip, gzip", "4 content encodings, at most 3"),
        ],
    )
    def test_over_the_cap_or_damaged_it_is_malformed(self, body: bytes, coding: str, says: str) -> None:
        with pytest.raises(Malformed, match=says):
            decode_receipt(receipt(body, FORM, coding), ignore, 1_000)

    @pytest.mark.parametrize(
        ("compress", "coding"),
        [(zlib.compress, "deflate"), (lambda body: gzipped(gzipped(body)), "gzip, gzip")],
        ids=["once", "twice"],
    )
    def test_far_over_the_cap_it_is_malformed(self, compress: Callable[[bytes], bytes], coding: str) -> None:
        with pytest.raises(Malformed, match="it inflates to over 1,000 bytes"):
            decode_receipt(receipt(compress(b"a" * 50_000_000), FORM, coding), ignore, 1_000)

    def test_exactly_the_cap_is_read(self) -> None:
        assert inflate(gzipped(b"a" * 1_000), "gzip", 1_000, ignore) == b"a" * 1_000


class TestLimits:
    def test_over_ten_thousand_fields_what_fits_is_taken(self) -> None:
        body = "&".join([LEAD, *(f"leads[add][0][x{n}]=1" for n in range(10_500))])
        ((name, id, data),), remarks = read(body)
        assert (name, id, len(data)) == ("add_lead", "1", 10_000)
        assert remarks == ["body: 10,501 fields, at most 10,000: the last 501 are left out"]

    def test_in_json_too(self) -> None:
        body = json.dumps({"leads": {"add": {"id": 1, "x": list(range(10_500))}}})
        ((name, _, data),), remarks = read(body)
        assert (name, len(data["x"])) == ("add_lead", 9_999)
        assert remarks == ["body: 10,501 values, at most 10,000: the last 501 are left out"]

    def test_a_receipt_keeps_the_first_remarks_and_says_how_many_more_there_are(self) -> None:
        _, remarks = read("&".join([LEAD, *(f"x{n}[]=1" for n in range(1_500))]))
        assert len(remarks) == 1_500
        assert limit_remarks(remarks) == [*remarks[:MAX_REMARKS], "and 1,490 more remarks"]
        assert limit_remarks(remarks[:10]) == remarks[:10]

    def test_a_remark_shows_no_value(self) -> None:
        _, remarks = read(f"{LEAD}&phone=%2B79165550142%FF&tags[]=79165550142&x[79165550142%")
        assert len(remarks) == 4
        assert b"7916555" not in msgspec.json.encode([remark for remark in remarks if "cut" not in remark])
