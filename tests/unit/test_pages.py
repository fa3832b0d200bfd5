"""How pages are read, and what they show is compared with what was printed."""

import pytest

from tests.docs.comparing import match_output, replace_ids
from tests.docs.pages import Command, File, Step, Wait, read_page

ONE, OTHER = "01a22526-2de1-7076-ab7e-6b3567100a08", "f440b7a5-92b8-8592-b2f2-2655a09ff1e6"
REAL, REAL_OTHER = "01b33333-2de1-7076-ab7e-6b3567100a08", "a440b7a5-92b8-8592-b2f2-2655a09ff1e6"


@pytest.mark.parametrize(
    ("page", "steps"),
    [
        (
            "```sh\n$ one\nits line\n$ two \\\n  more\n```\n",
            [Command(2, "one", "its line\n"), Command(4, "two \\\n  more", "")],
        ),
        ("```sh\nA=1\nB=2\n```\n", [Command(2, "A=1\nB=2\n")]),
        ("```yaml\na: 1\n```\n", []),
        ("<!-- file: a.yaml -->\n```yaml\na: 1\n```\n", [File(2, "a.yaml", "a: 1\n")]),
        ("<!-- file: a.yaml\na: 1\nb: 2\n-->\n", [File(1, "a.yaml", "a: 1\nb: 2\n")]),
        ("<!-- run: one | two -->\n<!-- wait for: three -->\n", [Command(1, "one | two"), Wait(2, "three")]),
        ("<!-- not run: it installs -->\n```sh\n$ one\n```\n```sh\n$ two\n```\n", [Command(6, "two", "")]),
        ("<!-- not run on this page: it installs -->\n```sh\n$ one\n```\n", []),
        ("<!-- an ordinary comment -->\n", []),
    ],
)
def test_a_page_is_read(page: str, steps: list[Step]) -> None:
    assert read_page(page) == steps


@pytest.mark.parametrize(
    ("page", "what"),
    [
        ("<!-- not run: why -->\n", "no block follows not run: why"),
        ("<!-- not run: -->\n```sh\n$ one\n```\n", "line 1: not run says nothing"),
        ("```sh\noutput\n$ one\n```\n", "line 2: the block begins with what no command prints"),
    ],
)
def test_a_page_that_means_nothing_is_refused(page: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_page(page)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a line\n", "a line\n"),
        ("", ""),
        ("at 2026-11-29 02:33:18.923 in 1 ms\n", "at 2027-01-01 10:00:00.000 in 12.5 ms\n"),
        ("a   b\n1   2\n", "a       b\n1       2  \n"),
        ("first\n…\nlast\n", "first\n1\n2\nlast\n"),
        ("first\n…\n", "first\n"),
        ("a … z\n", "a b c z\n"),
        ('{"at":1795445429,"used_bytes":1}\n', '{"at":1695445429,"used_bytes":123}\n'),
        ("version 4a0e5c683b86\n", "version 0123456789ab\n"),
        (f"{ONE}: done, {ONE}.0\n", f"{REAL}: done, {REAL}.0\n"),
    ],
)
def test_what_is_the_same(shown: str, printed: str) -> None:
    assert match_output(shown, printed, {}) == ({ONE: REAL} if ONE in shown else {})


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a line\n", "another\n"),
        ("a line\n", "a line\nand one more\n"),
        ("a line\n", ""),
        ("", "a line\n"),
        ("first\n…\nlast\n", "first\nlast one\n"),
        ("a … z\n", "a b c\n"),
        (f"{ONE} {ONE}\n", f"{REAL} {REAL_OTHER}\n"),
        (f"id {ONE}\n", "id none\n"),
        ("3 waiting\n", "4 waiting\n"),
    ],
)
def test_what_is_not(shown: str, printed: str) -> None:
    with pytest.raises(AssertionError, match="the page"):
        match_output(shown, printed, {})


def test_an_id_of_the_page_stands_for_the_real_one_from_then_on() -> None:
    known = match_output(f"receipt {ONE}\n", f"receipt {REAL}\n", {})
    known = match_output(f"{ONE} {OTHER}\n", f"{REAL} {REAL_OTHER}\n", known)
    assert replace_ids(f"show {ONE}.0 {OTHER}", known) == f"show {REAL}.0 {REAL_OTHER}"
    with pytest.raises(AssertionError):
        match_output(f"{OTHER}\n", f"{REAL}\n", known)
