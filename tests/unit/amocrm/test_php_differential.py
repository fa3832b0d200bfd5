"""Odd bodies mean what PHP makes of them: tests/fixtures/php has both, tests/e2e/test_php_reading.py asks PHP again."""

import json
from pathlib import Path

import pytest

from relay.amocrm.form import decode_form
from relay.amocrm.multipart import decode_multipart
from relay.amocrm.remarks import ignore
from relay.model import Value

FIXTURES = Path(__file__).parents[2] / "fixtures" / "php"


def rows(name: str) -> list[dict[str, str]]:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", rows("forms.json"), ids=lambda row: row["body"])
def test_a_form_is_read_as_php_reads_it(row: dict[str, Value]) -> None:
    assert decode_form(row["body"].encode(), add_remark=ignore) == row["php"]


@pytest.mark.parametrize("row", rows("multipart.json"), ids=lambda row: row["title"])
def test_multipart_is_read_as_php_reads_it(row: dict[str, Value]) -> None:
    assert decode_multipart(row["body"].encode(), row["content_type"], add_remark=ignore) == row["php"]
