"""YAML with positions: what is read as what, and the message of every accident, by file:line:column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config.findings import Findings, Position
from relay.config.yaml import Document, parse
from relay.errors import ConfigError


def read(text: str) -> Document:
    findings = Findings("f.yaml")
    document = parse(text, findings)
    findings.raise_errors()
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: on", {"on": "on"}),
        ("a: yes", {"a": "yes"}),
        ("a: no", {"a": "no"}),
        ("a: true", {"a": True}),
        ("a: False", {"a": False}),
        ("a: null", {"a": None}),
        ("a:", {"a": None}),
        ("a: 2026-01-31", {"a": "2026-01-31"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 10:00-20:00", {"a": "10:00-20:00"}),
        ("a: 010", {"a": "010"}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 12e5", {"a": "12e5"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: 142", {"a": 142}),
        ("a: -1.5", {"a": -1.5}),
        ("a: '142'", {"a": "142"}),
        ("142: a", {"142": "a"}),
        ("true: a", {"true": "a"}),
        ("+79161234567: a", {"+79161234567": "a"}),
        ("a: <<", {"a": "<<"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: |\n  one: two\n  {{ three }}", {"a": "one: two\n{{ three }}"}),
        ("a: text {{ lead.id }}", {"a": "text {{ lead.id }}"}),
        ("", None),
        ("# nothing but a comment", None),
    ],
)
def test_values_are_what_they_look_like(text: str, value: object) -> None:
    assert read(text).value == value


QUOTE = "quote it"
WHOLE = "quote the whole text"
BAD_INDENTATION = "this does not fit the lines above: correct the indentation, or quote the whole value"
NUMBER = "a phone number or a long code without quotes is read as a number: quote it"
IN_A_FLOW = "is a bracket not closed, or a text that has one of , : [ ] { } in it not quoted?"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: +79161234567", f"1:4: {NUMBER}"),
        ("a:\n  - 79161234567", f"2:5: {NUMBER}"),
        ("a: {{ lead.id }}", "1:4: {{ … }} without quotes is read as a mapping: quote it"),
        ("a: {b: {{ lead.price | decimal }}}", "1:8: {{ … }} without quotes is read as a mapping: quote it"),
        ("a: {{ lead.id }} and more", "1:4: {{ … }} without quotes: quote the whole text"),
        ("a: {{ lead.tags[0] }}", "1:4: {{ … }} without quotes: quote the whole text"),
        ("a: {b: c {{ lead.id }}}", "1:10: {{ … }} without quotes: quote the whole text"),
        ("a: Hello {{ contact.name }}, news: good", "1:10: {{ … }} without quotes: quote the whole text"),
        ("a: {b: ${NAME}}", "1:8: ${ … } without quotes: quote the whole text"),
        (
            "a: news: good",
            '1:8: a second ": " in one value: quote a text that has ": " in it, or correct the indentation',
        ),
        ("a: {b: c: d}", f"1:9: expected , or }} here: {IN_A_FLOW}"),
        ("a: [1, 2", f"1:9: expected , or ] here: {IN_A_FLOW}"),
        ("a: @home", "1:4: a text cannot start with @: quote it"),
        ("a: `x`", "1:4: a text cannot start with `: quote it"),
        ("a: %d", "1:4: a text cannot start with %: quote it"),
        ("a: *bold*", "1:4: a text that starts with * is read as a reference: quote it"),
        ("a: *bold", "1:4: a text that starts with * is read as a reference, and there is no such anchor: quote it"),
        ("a: &R you", "1:4: a text that starts with & is read as an anchor, and nothing refers to it: quote it"),
        ("a: & you", "1:4: a text that starts with & is read as an anchor: quote it"),
        ("a: !important", "1:4: a text that starts with ! is read as a tag: quote it"),
        ("a: ! important", "1:4: a text that starts with ! is read as a tag: quote it"),
        ("a: !!python/name:os.system x", "1:4: a text that starts with ! is read as a tag: quote it"),
        ("a: >x", "1:4: a text that starts with | or > is read as a block of text: quote it"),
        ("a: ? b", "1:4: a text that starts with ? is read as a key: quote it"),
        ("a:\n\tb: 1", "2:1: a tab: indent with spaces"),
        ("a:\n  b: 2\n c: 3", f"3:2: {BAD_INDENTATION}"),
        ('a: "b" c', f"1:8: {BAD_INDENTATION}"),
        ("{a: 1}}", f"1:7: {BAD_INDENTATION}"),
        ("a: - b", "1:4: a list item (- ) must start on its own line"),
        ("a: 'b", "1:4: the quote that opens here is never closed"),
        ('a: "\\q"', r'1:6: an unknown \ in "…": write \\, or use single quotes'),
        ('a: "\\UFFFFFFFF"', "1:1: a number in an escape or a directive is out of range"),
        ('a: "\\ud800"', "1:4: half of a character (\\ud800 to \\udfff): write the whole character"),
        ("a: 1\r\nb: \x07", "2:4: a control character: remove it"),
        ("a: 1\nb: 2\na: 3", "3:1: a is here twice, first at 1:1: keep one"),
        ("a: {b: 1, b: 2}", "1:11: b is here twice, first at 1:5: keep one"),
        ("? [a]\n: b", "1:3: a key must be a text: quote it"),
        ("a: &x 1\nb: &x 2\nc: *x", "2:4: this anchor (&) is here twice: name each once"),
        ("a: &x [*x]", "1:4: an anchor that contains itself"),
        ("[" * 60, "1:41: nested deeper than 40 levels"),
        ("a: 1\n---\nb: 2", "2:1: a second document (---): one file holds one"),
    ],
)
def test_an_accident_is_reported_at_its_position(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value) == f"f.yaml:{finding}"


def test_accidents_that_leave_the_rest_readable_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        read("b: +79161234567\na: {{ x }}\nb: 1")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "f.yaml:1:4",
        "f.yaml:2:4",
        "f.yaml:3:1",
    ]


def test_aliases_that_multiply_are_stopped() -> None:
    """Nine lines of this kind would mean a billion values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(ConfigError, match="more than 50000 values, aliases counted each time"):
        read("\n".join([*lines, "z: *i"]))


def test_every_value_and_key_has_its_position() -> None:
    document = read("routes:\n  - name: one\n    to: {sink: sms}\n")
    assert document.position(("routes", 0, "to", "sink")) == Position(3, 16)
    assert document.key_position(("routes", 0, "to", "sink")) == Position(3, 10)
    assert document.key_position(("routes", 0)) == Position(2, 5), "a list item has no key: its own place"


def test_what_is_not_there_has_the_position_of_its_nearest_parent() -> None:
    document = read("routes:\n  - name: one\n")
    assert document.position(("routes", 0, "where", "price")) == Position(2, 5)
    assert document.key_position(("routes", 7)) == Position(1, 1), "the parent's key"
    assert document.position(("nothing",)) == Position(1, 1)


def test_a_value_behind_an_alias_has_the_position_where_it_was_written() -> None:
    assert read("a: &x {b: 1}\nc: *x").position(("c", "b")) == Position(1, 11)


@given(st.text(alphabet=st.sampled_from("ab:- \n\t{}[]&*!|>'\"%@`#,?<=0123+${}\\u")))
def test_any_text_is_read_or_refused_in_lines_with_a_place(text: str) -> None:
    try:
        read(text)
    except ConfigError as error:
        for line in str(error).splitlines():
            file, row, column, words = line.split(":", 3)
            assert file == "f.yaml"
            assert 1 <= int(row) <= text.count("\n") + 2
            assert int(column) >= 1
            assert words.strip()
