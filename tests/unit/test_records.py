"""Every record is frozen and made with keywords only, however deep in the family."""

import msgspec
import pytest

from relay.model import Limit, Record


class Child(Record):
    name: str


class Grandchild(Child):
    size: int = 0


class Row(Record, array_like=True):
    name: str


class RowOfChild(Child, array_like=True):
    size: int = 0


@pytest.mark.parametrize("kind", [Child, Grandchild, Row, RowOfChild])
def test_a_record_cannot_be_changed(kind):
    record = kind(name="books")
    with pytest.raises(AttributeError, match="immutable"):
        record.name = "ledger"


@pytest.mark.parametrize("kind", [Child, Grandchild, Row, RowOfChild])
def test_a_record_takes_keywords_only(kind):
    with pytest.raises(TypeError, match="positional"):
        kind("books")


def test_a_required_value_may_follow_one_with_a_default():
    class Later(Grandchild):
        place: str

    assert Later(name="books", place="here").size == 0


def test_a_record_may_be_a_row():
    assert msgspec.json.encode(Row(name="books")) == b'["books"]'
    assert msgspec.json.encode(RowOfChild(name="books")) == b'["books",0]'
    assert msgspec.json.encode(Limit(key="books", count=1, per_ms=1000)) == b'["books",1,1000]'


def test_equal_records_are_equal_keys():
    assert {Child(name="books"): 1}[Child(name="books")] == 1
