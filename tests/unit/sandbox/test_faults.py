"""Which request gets which fault, and how often."""

import msgspec
import pytest

from relay.sandbox.faults import Faults, InjectedFault, parse_fault


@pytest.mark.parametrize(
    ("fault", "vendor", "path", "hit"),
    [
        (InjectedFault(fault="hang"), "sms", "/x", True),
        (InjectedFault(fault="hang", vendor="sms"), "sms", "/x", True),
        (InjectedFault(fault="hang", vendor="sms"), "books", "/x", False),
        (InjectedFault(fault="hang", path="/invoices"), "books", "/invoices/7", True),
        (InjectedFault(fault="hang", path="/invoices"), "books", "/orders", False),
    ],
)
def test_a_fault_is_for_its_vendor_and_path(fault: InjectedFault, vendor: str, path: str, hit: bool) -> None:
    faults = Faults()
    faults.add(fault)
    assert (faults.take(vendor, path) is not None) is hit


def test_a_pause_is_for_its_point_and_nobodys_answer() -> None:
    faults = Faults()
    faults.add(InjectedFault(fault="pause", at="stored"))
    assert faults.take("sms", "/") is None
    assert faults.take("sms", "/", "answered") is None
    assert faults.take("sms", "/", "stored") is not None


@pytest.mark.parametrize("given", [{"fault": "pause"}, {"fault": "hang", "at": "stored"}])
def test_a_pause_alone_names_a_point(given: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="needs a point"):
        msgspec.convert(given, InjectedFault)


@pytest.mark.parametrize(
    ("body", "known"),
    [
        (b'{"fault":"timeout"}', "known: hang, status, reset, refuse, slow_headers, html, truncated, throttle, pause"),
        (b"{}", "known: hang, status"),
        (b'{"fault":"pause","at":"end"}', "known: before-read, stored, before-answer, answered"),
    ],
)
def test_an_unknown_name_is_told_those_there_are(body: bytes, known: str) -> None:
    with pytest.raises(ValueError, match=known):
        parse_fault(body)


def test_a_vendor_may_fail_by_share() -> None:
    faults = Faults()
    faults.add(InjectedFault(fault="reset", times=2, every=3))
    assert [faults.take("books", "/") is not None for _ in range(10)] == [False, False, True] * 2 + [False] * 4


@pytest.mark.parametrize(("times", "taken"), [(0, 0), (1, 1), (3, 3), (-1, 5)])
def test_a_fault_lasts_as_often_as_it_says(times: int, taken: int) -> None:
    faults = Faults()
    faults.add(InjectedFault(fault="reset", times=times))
    assert sum(faults.take("sms", "/") is not None for _ in range(5)) == taken


def test_the_oldest_that_fits_is_taken_first() -> None:
    faults = Faults()
    faults.add(InjectedFault(fault="reset"))
    faults.add(InjectedFault(fault="html"))
    assert [fault.fault for fault in faults.list()] == ["reset", "html"]
    assert [faults.take("sms", "/").fault for _ in range(2)] == ["reset", "html"]
    assert faults.take("sms", "/") is None
