"""Answers are read the same however their bytes arrive, and nothing in them breaks the reader."""

import gzip

import pytest
from httptools import HttpParserError
from hypothesis import given
from hypothesis import strategies as st

from relay.transport.response_parser import ResponseParser

PACKED = gzip.compress(b'{"ok": true}' * 9)
WHOLE = {
    "with its length": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nyes",
    "chunked": b"HTTP/1.1 201 A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nye\r\n1;a=b\r\ns\r\n0\r\nTrailer: t\r\n\r\n",
    "announced": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
    "closing": b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
}


def read(*pieces):
    reader = ResponseParser()
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE.keys())
@given(data=st.data())
def test_an_answer_is_the_same_however_its_bytes_are_split(answer, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    pieces = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    whole, cut = read(answer), read(*filter(None, pieces))
    assert cut.response == whole.response
    assert cut.reusable == whole.reusable == (b"close" not in answer)
    assert whole.response is not None
    assert not whole.response.truncated


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE.keys())
@given(data=st.data())
def test_the_beginning_of_an_answer_is_no_complete_answer(answer, data):
    reader = read(answer[: data.draw(st.integers(1, len(answer) - 1))])
    assert reader.response is None
    stopped = reader.stop(ended=True)
    assert stopped is None or stopped.truncated
    assert not reader.reusable


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none_and_nothing_else(data):
    reader = ResponseParser()
    try:
        reader.feed(data)
    except HttpParserError:
        assert reader.response is None
    assert reader.stop(ended=False) is reader.response


def test_a_body_without_a_length_ends_with_the_connection():
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    ended, timed_out = read(head, b"yes"), read(head, b"yes")
    assert (ended.stop(ended=True).body, ended.response.truncated) == (b"yes", False)
    assert (timed_out.stop(ended=False).body, timed_out.response.truncated) == (b"yes", True)


def test_one_answer_after_another_is_read_on_its_own():
    reader = read(WHOLE["compressed"])
    first = reader.response
    reader.begin()
    reader.feed(WHOLE["with its length"])
    assert first.body == b'{"ok": true}' * 9
    assert (reader.response.body, reader.response.headers["x"]) == (b"yes", "y")
    assert "Content-Encoding" not in reader.response.headers
