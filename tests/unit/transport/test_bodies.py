"""The body of an answer as text and as JSON, whatever its sender thinks of encodings."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from relay.transport import Response, body_json, body_text, json_problem

CONTENT = {"имя": "Анна", "code": 7}
TEXT = json.dumps(CONTENT, ensure_ascii=False)


def answer(body: bytes, kind: str = "application/json", *, truncated: bool = False) -> Response:
    return Response(status=200, headers=CIMultiDict({"content-type": kind}), body=body, truncated=truncated)


@pytest.mark.parametrize(
    ("encoding", "kind"),
    [
        ("utf-8", "application/json"),
        ("utf-8", ""),
        ("utf-8", "application/json; charset=UTF-8"),
        ("utf-8-sig", "application/json"),  # 1C: a byte order mark
        ("utf-8-sig", "application/json; charset=utf-8"),
        ("utf-8-sig", "application/json; charset=windows-1251"),  # the mark knows better
        ("windows-1251", "application/json; charset=windows-1251"),  # 1C: a declared charset
        ("windows-1251", 'text/plain;Charset="CP1251"'),
        ("koi8-r", "application/json; charset=koi8-r"),
        ("utf-16", "application/json"),
        ("utf-16-be", "application/json; charset=utf-16be"),
        ("utf-32", "application/json"),
        ("utf-8", "application/json; charset=us-ascii"),
        ("utf-8", "application/json; charset=nonsense"),
        ("utf-8", "application/json; charset=zip"),  # a codec of Python that is no charset
        ("utf-8", "application/json; charset=idna"),
        ("utf-8", "application/json; charset="),
    ],
)
def test_a_mark_or_a_declared_charset_says_how_it_is_encoded(encoding, kind):
    found = answer(TEXT.encode(encoding), kind)
    assert (body_json(found), body_text(found), json_problem(found)) == (CONTENT, TEXT, "")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is empty"),
        (b" \r\n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"<html><h1>502</h1>", "it is a page (HTML or XML), no JSON"),
        (b"\xef\xbb\xbf<?xml?>", "it is a page (HTML or XML), no JSON"),
        (b"OK:17", "it is no JSON: invalid character (byte 0)"),
        (b'{"id": 1', "it is no JSON: Input data was truncated"),
        (TEXT.encode("windows-1251"), "it is no utf-8, and Content-Type names no other charset"),
        (b"[" * 100_000, "it is no JSON: maximum recursion depth exceeded while deserializing an object"),
    ],
)
def test_of_what_cannot_be_read_it_says_why(body, problem):
    assert (body_json(answer(body)), json_problem(answer(body))) == (None, problem)


def test_of_what_broke_off_it_says_so_though_it_may_look_complete():
    found = answer(b'{"id": 1}', truncated=True)
    assert (body_json(found), json_problem(found)) == (None, "only its beginning arrived")


def test_of_a_long_text_only_the_beginning_is_read():
    assert body_text(answer("ы".encode() * 1000), 5) == "ыы�"
    assert body_text(answer("ы".encode("windows-1251") * 1000, "text/plain; charset=windows-1251"), 5) == "ыыыыы"


@given(st.binary(), st.text(max_size=60))
def test_no_body_and_no_content_type_is_too_strange(body, kind):
    found = answer(body, kind)
    body_text(found)
    assert (json_problem(found) == "") or body_json(found) is None


def test_nobody_else_decodes_answers():
    """Sinks, look-ups and accounts read them here: what one vendor does wrong another will."""
    root = Path(__file__).parents[3] / "relay"
    files = [path for folder in ("sinks", "accounts") for path in sorted((root / folder).rglob("*.py"))]
    assert len(files) > 50
    decoding = re.compile(r"decode\w*\(answer\.body|answer\.body(\[[^]]*\])?\.decode|loads\(answer\.body")
    assert [str(path) for path in files if decoding.search(path.read_text(encoding="utf-8"))] == []
