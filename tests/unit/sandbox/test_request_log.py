"""The sandbox's log: in order, paged, without credentials."""

import pytest

from relay.sandbox import request_log
from relay.sandbox.request_log import RequestLog
from relay.sandbox.vendors.base import Answer, VendorRequest


def vendor_request(vendor: str = "books", **headers: str) -> VendorRequest:
    return VendorRequest(vendor=vendor, method="POST", path="/x", query="", headers=headers, body=b"{}")


def filled(*vendors: str) -> RequestLog:
    log = RequestLog()
    for vendor in vendors:
        log.add(vendor_request(vendor), Answer(content={}), 200, "")
    return log


@pytest.mark.parametrize(
    ("since", "limit", "vendor", "found", "following", "more"),
    [
        (0, 10, None, [1, 2, 3, 4], 4, False),
        (0, 2, None, [1, 2], 2, True),
        (2, 2, None, [3, 4], 4, False),
        (4, 10, None, [], 4, False),
        (99, 10, None, [], 4, False),
        (0, 10, "sms", [2, 4], 4, False),
        (0, 1, "sms", [2], 2, True),
        (0, 0, None, [], 0, True),
    ],
)
def test_pages_follow_each_other(since, limit, vendor, found, following, more) -> None:
    page = filled("books", "sms", "books", "sms").page(since, limit, vendor)
    assert [entry.seq for entry in page.requests] == found
    assert (page.next, page.more) == (following, more)


def test_numbers_go_on_after_clearing() -> None:
    log = filled("books", "books")
    log.clear()
    log.add(vendor_request(), None, None, "hang")
    page = log.page(2, 10, None)
    assert [(entry.seq, entry.stored, entry.status) for entry in page.requests] == [(3, False, None)]


def test_the_oldest_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "MAX_ENTRIES", 10)
    log = filled(*["books"] * 30)
    kept = [entry.seq for entry in log.page(0, 100, None).requests]
    assert kept == list(range(kept[0], 31))
    assert 10 <= len(kept) <= 11


@pytest.mark.parametrize(
    ("header", "value", "logged"),
    [
        ("authorization", "Bearer top-secret", "Bearer ***"),
        ("authorization", "top-secret", "***"),
        ("cookie", "session_id=top-secret", "***"),
        ("idempotency-key", "abc", "abc"),
    ],
)
def test_credentials_are_masked(header: str, value: str, logged: str) -> None:
    log = RequestLog()
    log.add(vendor_request(**{header: value}), Answer(content={}), 200, "")
    assert log.page(0, 1, None).requests[0].headers[header] == logged
