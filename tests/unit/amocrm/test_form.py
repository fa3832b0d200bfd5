"""The form language: what each body means, and what is refused rather than guessed."""

import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.amocrm import layout
from relay.amocrm.form import decode_form, encode_form
from relay.amocrm.json_body import decode_json
from relay.amocrm.layout import is_index
from relay.amocrm.limits import BodyLimits
from relay.amocrm.remarks import ignore
from relay.errors import Malformed
from relay.model import Receipt, Value

HOOKS = Path(__file__).parents[2] / "fixtures" / "amocrm"
EXPECTED = sorted(path.stem for path in HOOKS.glob("*.json"))
# Not what encode would write: cut, one name twice, `[]` for an index.
NOT_CANONICAL = {"contact_cut", "contact_note", "unsorted_decline"}
CANONICAL = sorted(path.stem for path in HOOKS.glob("*.form") if path.stem not in NOT_CANONICAL)

scalars = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=6)
top_names = names.map(lambda name: f"x{name}")  # blanks and the like are dropped in front of them


def maps(children: st.SearchStrategy[Value]) -> st.SearchStrategy[dict[str, Value]]:
    """Maps that are not lists: their keys are not 0, 1, 2 and so on."""
    found = st.dictionaries(names | st.integers(0, 12).map(str), children, min_size=1, max_size=4)
    return found.filter(lambda keys: list(keys) != [str(index) for index in range(len(keys))])


canonical = st.dictionaries(
    top_names,
    st.recursive(scalars, lambda children: st.lists(children, min_size=1, max_size=4) | maps(children), max_leaves=12),
    max_size=4,
)
fragments = ["a", "b", "[", "]", "%5B", "%5D", "%5b0%5d", "[0]", "[1]", "[]", "=", "&", "+", "%", "%D0"]
hostile = st.lists(st.sampled_from(fragments).map(str.encode) | st.binary(max_size=3), max_size=24).map(b"".join)


class TestMeaning:
    @pytest.mark.parametrize("name", EXPECTED)
    def test_a_hook_reads_as_its_expectation_beside_it_says(self, name: str) -> None:
        expected = (HOOKS / f"{name}.json").read_text(encoding="utf-8")
        assert decode_form((HOOKS / f"{name}.form").read_bytes()) == json.loads(expected)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("", {}),
            ("a=1&&b=2&", {"a": "1", "b": "2"}),
            ("a=1", {"a": "1"}),
            ("a=", {"a": ""}),
            ("a=1&a=2", {"a": "2"}),
            ("a=1\r\n", {"a": "1"}),  # an editor's line end
            ("a=%0D%0A", {"a": "\r\n"}),  # the sender's line end
            ("a.b c=1", {"a.b c": "1"}),  # PHP would say a_b_c
            # splitting comes before unquoting
            ("a=1%262%3D3%2B4+5", {"a": "1&2=3+4 5"}),
            ("a=b=c", {"a": "b=c"}),
            ("a%26b%3Dc=1", {"a&b=c": "1"}),
            ("a%5Bb+c%5D=1", {"a": {"b c": "1"}}),
            # a percent sign that starts no escape
            ("a=50%", {"a": "50%"}),
            ("a=50%+off", {"a": "50% off"}),
            ("a=%zz", {"a": "%zz"}),
            # brackets, encoded in either case or not at all
            ("a[b][c]=1&a%5Bb%5D%5Bd%5D=2&a%5bb%5d%5be%5d=3", {"a": {"b": {"c": "1", "d": "2", "e": "3"}}}),
            # nested wins over a scalar, in either order, and keeps what it has
            ("a=1&a[b]=2", {"a": {"b": "2"}}),
            ("a[b]=2&a=1", {"a": {"b": "2"}}),
            ("a[b]=2&a=1&a[c]=3", {"a": {"b": "2", "c": "3"}}),
            # lists are exactly 0, 1, 2…
            ("a[0]=x&a[1]=y", {"a": ["x", "y"]}),
            ("a[1]=y&a[0]=x", {"a": {"1": "y", "0": "x"}}),
            ("a[1]=y", {"a": {"1": "y"}}),
            ("a[0]=x&a[2]=z", {"a": {"0": "x", "2": "z"}}),
            ("a[00]=x", {"a": {"00": "x"}}),
            ("a[0]=x&a[01]=y", {"a": {"0": "x", "01": "y"}}),
            ("a[٠]=x", {"a": {"٠": "x"}}),  # an Arabic-Indic zero is a digit to isdigit()
            ("a[-1]=x", {"a": {"-1": "x"}}),
            ("0=x&1=y", {"0": "x", "1": "y"}),  # the body itself is always a map
            # [] appends
            ("a[]=x&a[]=y", {"a": ["x", "y"]}),
            ("a[][b]=1&a[][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}),
            ("a[4]=x&a[]=y&a[7]=z&a[2]=w&a[]=v", {"a": {"4": "x", "5": "y", "7": "z", "2": "w", "8": "v"}}),
            ("a[b]=x&a[]=y", {"a": {"b": "x", "0": "y"}}),
            ("a=1&a[]=x", {"a": ["x"]}),
            ("a[07]=x&a[]=y", {"a": {"07": "x", "0": "y"}}),
            ("a[٧]=x&a[]=y", {"a": {"٧": "x", "0": "y"}}),
        ],
    )
    def test_a_body_means_what_php_makes_of_it(self, body: str, expected: object) -> None:
        assert decode_form(body.encode()) == expected

    def test_the_order_of_the_body_is_kept(self) -> None:
        decoded = decode_form(b"z[3]=1&a=2&z[1]=3")
        assert list(decoded) == ["z", "a"]
        assert list(decoded["z"]) == ["3", "1"]

    def test_bodies_with_the_same_keys_have_no_values_in_common(self) -> None:
        body = b"a[0][b]=1&a[1][b]=2&c[d]=3&a[0][b]=4"
        decoded = decode_form(body)
        assert decoded == {"a": [{"b": "4"}, {"b": "2"}], "c": {"d": "3"}}
        decoded["a"].append("5")
        decoded["a"][0].clear()
        decoded["c"].clear()
        assert decode_form(body) == {"a": [{"b": "4"}, {"b": "2"}], "c": {"d": "3"}}


class TestRefusal:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"hello", "5 bytes without a single '=', not a form"),
            (b"a[b]=1&a[c", r"field 2 \('a\[c'\): no '=' after it, the body was cut in the middle of a key"),
            (b"a[b]=1&a%5Bc%5D", r"field 2 \('a\[c\]'\): no '=' after it, its value is read as empty"),
            (b"a[b=1", r"field 1 \('a\[b'\): its brackets do not pair up"),
            (b"[a]=1", "it has no name"),
            (b"=1", "it has no name"),
            (b" ?=1", "it has no name"),
            (b"a=1&b=%D0", r"field 2 \('b'\): not UTF-8, byte 0xd0"),
            (b"a=%ED%A0%80", "field 1 .*not UTF-8, byte 0xed"),  # half of a surrogate pair
            (b"%FF=1", "field 1 .*not UTF-8, byte 0xff"),
            (b"a=\xcc\xee\xf1\xea\xe2\xe0", r"field 1 \('a'\): not UTF-8, byte 0xcc"),  # cp1251
        ],
    )
    def test_what_cannot_be_read_says_where_and_is_malformed_unless_remarks_are_taken(
        self, body: bytes, says: str
    ) -> None:
        with pytest.raises(Malformed, match=says):
            decode_form(body)
        if b"=" in body:
            remarks: list[str] = []
            decode_form(body, add_remark=remarks.append)
            assert re.search(says, "\n".join(remarks))

    def test_a_hook_cut_in_the_middle_of_a_key_is_malformed(self, hook: Callable[[str], Receipt]) -> None:
        with pytest.raises(Malformed, match=r"field 3 .*contacts\[add\]\[0\]\[la.* cut in the middle of a key"):
            decode_form(hook("contact_cut").body)

    def test_a_reason_never_shows_a_value(self) -> None:
        with pytest.raises(Malformed) as refused:
            decode_form(b"phone=%2B79165550142%FF")
        assert "7916" not in str(refused.value)

    @pytest.mark.parametrize(
        ("limits", "fits", "too_much", "says"),
        [
            (BodyLimits(size=8), b"a=123456", b"a=1234567", "9 bytes, at most 8"),
            (BodyLimits(fields=2), b"a=1&b=2", b"a=1&b=2&c=3", "3 fields, at most 2"),
            (BodyLimits(fields=2), b"a=1&&&", b"a=1&&&b=", "4 fields, at most 2: the last 2 are left out"),
            (BodyLimits(depth=3), b"a[b][c]=1", b"a[b][c][d]=1", r"'a\[b\]\[c\]\[d\]'.*4 levels, at most 3"),
            (BodyLimits(key_length=4), b"a[b]=12345", b"a[bc]=1", r"'a\[bc\]'.*5 characters, at most 4"),
        ],
    )
    def test_each_limit_holds_to_the_last_unit_and_names_itself(
        self, limits: BodyLimits, fits: bytes, too_much: bytes, says: str
    ) -> None:
        assert decode_form(fits, limits)
        with pytest.raises(Malformed, match=says):
            decode_form(too_much, limits)

    @pytest.mark.parametrize(
        "body",
        [
            b"a" + b"[b]" * 300_000 + b"=1",
            b"a" + b"[" * 1_000_000 + b"=1",
            b"&".join(b"a[%d]=1" % index for index in range(100_000)),
            b"&" * 1_000_000,
            b"a[]=&" * 100_000,
            b"k" * 1_000_000 + b"=1",
        ],
    )
    def test_a_hostile_body_is_refused_before_it_costs_anything(self, body: bytes) -> None:
        with pytest.raises(Malformed):
            decode_form(body)

    @pytest.mark.parametrize(
        "body",
        [
            b"&".join(b"a[]=&a[x%d]=" % index for index in range(5_000)),  # append and name in turn
            b"&".join(b"a" + b"[]" * 15 + b"=" for _ in range(10_000)),
            b"&".join(b"%d[b][c]=" % index for index in range(10_000)),
            b"a=" + b"%41" * 300_000,
            b"&".join([b"a=1", b"a[b]=1"] * 5_000),
        ],
    )
    def test_the_worst_that_fits_is_read(self, body: bytes) -> None:
        assert decode_form(body)

    def test_appending_looks_at_no_key_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looked: list[str] = []
        monkeypatch.setattr(layout, "is_index", lambda key: looked.append(key) or is_index(key))
        decode_form(b"&".join(b"a[]=&a[x%d]=" % index for index in range(50)))
        assert 0 < len(looked) <= 100

    def test_a_huge_numeric_key_costs_nothing(self) -> None:
        tracemalloc.start()
        decoded = decode_form(b"a[4294967296000]=x&a[" + b"9" * 500 + b"]=y&a[]=z")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert list(decoded["a"]) == ["4294967296000", "9" * 500, "1" + "0" * 500]
        assert peak < 100_000


class TestEncoding:
    @pytest.mark.parametrize("name", CANONICAL)
    def test_a_hook_is_written_byte_for_byte_as_amocrm_sent_it(self, name: str) -> None:
        body = (HOOKS / f"{name}.form").read_bytes()
        assert encode_form(decode_form(body)) == body

    @pytest.mark.parametrize(
        ("values", "body"),
        [
            ({}, b""),
            ({"a": {"b": ["x", {"c": ""}]}}, b"a%5Bb%5D%5B0%5D=x&a%5Bb%5D%5B1%5D%5Bc%5D="),
            ({"a b": "c d+~*-_."}, b"a+b=c+d%2B%7E%2A-_."),
            ({"a": "Я\r\n"}, b"a=%D0%AF%0D%0A"),
            ({"a": {}, "b": [], "c": {"d": []}}, b""),  # a form cannot carry them
        ],
    )
    def test_values_are_written_as_php_writes_them(self, values: dict[str, Value], body: bytes) -> None:
        assert encode_form(values) == body


class TestJson:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"{}", {}),
            (
                b'{"a": "x", "b": 1, "c": -0.50, "d": 1234567890123456789012}',
                "a=x&b=1&c=-0.50&d=1234567890123456789012",
            ),
            (b'{"a": true, "b": false, "c": null}', "a=1&b=0&c="),
            (b'{"a": {"b": [{"c": 1}, "d"]}}', "a[b][0][c]=1&a[b][1]=d"),
            (b'{"a": {"0": "x", "1": "y"}, "b": {"1": "y"}}', "a[0]=x&a[1]=y&b[1]=y"),
            (b'{"a": {}, "b": [], "c": {"d": [[]]}, "e": 1}', "e=1"),
            ('{"a": "Ж\\u0416"}'.encode(), "a=ЖЖ"),
            (b'{"a[b][0]": 5, "a[b][1]": 6, "a[c]": {"d": 7}}', "a[b][0]=5&a[b][1]=6&a[c][d]=7"),
            (b'{"a": {"b[c][]": 1, "d": 2}}', "a[b][c][0]=1&a[d]=2"),
            (b'\xef\xbb\xbf\r\n {"a": 1}', "a=1"),
            (b'[{"a": 1}]', "a=1"),
            (b'{"a": "1\n2\t3"}', "a=1%0A2%093"),  # line ends in a text, which JSON forbids
            (b'{"\xef\xbb\xbfa": 1, " b": 2}', "a=1&b=2"),
        ],
    )
    def test_json_reads_as_the_same_data_sent_as_a_form(self, body: bytes, expected: object) -> None:
        same = decode_form(expected.encode()) if isinstance(expected, str) else expected
        assert decode_json(body) == same

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"", "not JSON"),
            (b"[1]", "a JSON int, an object is expected"),
            (b'[{"a": 1}, {"b": 1}]', "a JSON list, an object is expected"),
            (b"null", "a JSON NoneType, an object is expected"),
            (b'{"a": 1', "not JSON"),
            (b'{"a": NaN}', "not JSON"),
            (b'{"a": "\xff"}', "body: not all of it is Unicode: U\\+FFFD stands for what is not"),
            (b'{"a": "\\ud800"}', "not all of it is Unicode"),
            (b'{"": 1}', "body: name '': it has no name"),
            (b'{"a": {"": 1}}', "'a': name '': a form cannot carry it"),
            (b'{"a": {"b]c": 1}}', r"'a': name 'b\]c': a form cannot carry it"),
            (b'{"a": {"b[c": 1}}', r"'a': name 'b\[c': its brackets do not pair up"),
            (b"[" * 500_000, "not JSON"),
            (b'{"a":' * 100_000, "not JSON"),
            (b'{"a":' * 17 + b"1" + b"}" * 17, "17 levels, at most 16"),
            (b'{"a": [' + b",".join([b"1"] * 10_001) + b"]}", "10,001 values, at most 10,000"),
            (b'{"%s": 1}' % (b"k" * 513), "513 characters, at most 512"),
            (b'{"a": "%s"}' % (b"v" * (16 << 20)), "bytes, at most 16,777,216"),
        ],
    )
    def test_other_json_says_where_and_is_malformed_unless_remarks_are_taken(self, body: bytes, says: str) -> None:
        with pytest.raises(Malformed, match=says):
            decode_json(body)


class TestLaws:
    @given(canonical)
    @example({"a": {"1": "x", "0": "y"}, "b": ["&=+%[]", ""]})
    def test_what_is_written_reads_back_as_it_was(self, values: dict[str, Value]) -> None:
        assert decode_form(encode_form(values)) == values

    @given(hostile)
    def test_no_bytes_raise_anything_but_malformed_and_what_is_read_can_be_written(self, body: bytes) -> None:
        try:
            values = decode_form(body, add_remark=ignore)
        except Malformed:
            return
        assert decode_form(encode_form(values)) == values

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | scalars,
        lambda children: st.lists(children, max_size=3) | st.dictionaries(names | st.just("[0]"), children, max_size=3),
        max_leaves=8,
    )

    @given(st.dictionaries(top_names, json_values, max_size=3).map(msgspec.json.encode) | st.binary(max_size=40))
    def test_json_raises_nothing_but_malformed_and_gives_what_a_form_can_carry(self, body: bytes) -> None:
        try:
            values = decode_json(body, add_remark=ignore)
        except Malformed:
            return
        assert decode_form(encode_form(values)) == values


@pytest.mark.parametrize(("fields", "built"), [(100, 1), (1000, 1), (1100, 2)])
def test_the_nesting_of_a_form_is_worked_out_once_for_all_hooks_of_one_shape(monkeypatch, fields, built):
    """Also of an account with hundreds of fields of its own; not of what would fill the memory."""
    builds: list[int] = []
    build = layout.build_layout

    def counted(paths, remarks):
        builds.append(len(paths))
        return build(paths, remarks)

    monkeypatch.setattr(layout, "build_layout", counted)
    for value in ("first", "second"):
        body = "&".join(f"leads[add][0][shape_of_{fields}][{n}]={value}" for n in range(fields))
        assert set(decode_form(body.encode())["leads"]["add"][0][f"shape_of_{fields}"]) == {value}
    assert builds == [fields] * built
