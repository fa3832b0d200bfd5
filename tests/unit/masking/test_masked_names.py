"""Names of people are known by the fields that they stand in, and masked wherever else they stand."""

import json
import re
from collections.abc import Iterator
from contextvars import copy_context
from urllib.parse import quote, quote_plus

import pytest

from relay.masking import add_names, collect_names, mask_people, mask_people_in_json
from relay.masking.names import find_names

NAME = "Иванов Иван"


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    collect_names()
    yield
    collect_names()


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"contacts": {"add": {"0": {"name": NAME, "company_name": "ООО Ромашка"}}}}, [NAME]),
        ({"contacts": {"add": [{"first_name": "Иван", "last_name": "Иванов"}]}}, ["Иван", "Иванов"]),
        ({"contacts": {"update": [{"type": "company", "name": "ООО Ромашка"}]}}, []),
        ({"leads": {"status": [{"name": "Сделка 12", "tags": [{"name": "VIP"}]}]}}, []),
        ({"contacts": {"add": [{"name": NAME, "custom_fields": [{"name": "Телефон", "values": [1]}]}]}}, [NAME]),
        ({"contacts": {"add": [{"name": NAME, "_embedded": {"tags": [{"name": "VIP"}]}}]}}, [NAME]),
        ({"unsorted": {"add": [{"data": {"contacts": [{"name": NAME}]}}]}}, [NAME]),
        ({"message": {"add": [{"text": "hi", "author": {"id": "7", "name": NAME}}]}}, [NAME]),
        ({"body": {"counterparty": {"name": NAME}, "positions": [{"name": "Service"}]}}, [NAME]),
        ({"client_name": NAME, "product_name": "Chair", "ФИО": "Петров П."}, [NAME, "Петров П."]),
        ({"subdomain": "acme", "name": "acme", "users": [{"name": "A manager"}]}, []),
    ],
)
def test_names_are_known_by_their_fields(value: dict, names: list[str]) -> None:
    assert list(find_names(value)) == names


@pytest.mark.parametrize(
    "write",
    [str, quote, quote_plus, lambda name: re.sub("%..", lambda one: one[0].lower(), quote(name)), json.dumps],
    ids=["text", "quoted", "form", "lower", "JSON"],
)
@pytest.mark.parametrize("name", [NAME, "Anna O'Neil", "Vera +7 916 123-45-67"])
def test_a_name_is_masked_in_every_way_it_may_be_written(write, name: str) -> None:
    add_names({"contact": {"name": name}})
    masked = mask_people(f"title={write(name)}&x=1, said {write(name.split()[0])}")
    for word in name.replace("'", " ").split():
        if word[0].isalpha() and len(word) > 1:
            assert write(word).strip('"') not in masked
    assert masked.endswith("***" if write is not json.dumps else '***"')


def test_of_a_name_enough_is_left_to_tell_it_from_another() -> None:
    add_names({"contact": {"name": NAME}})
    assert mask_people("Сделка Иванов Иван, Ивановка") == "Сделка И*** И***, Ивановка"


@pytest.mark.parametrize("name", ["", " ", "A", "+79161234567", "7", "x" * 300, "новый"])
def test_what_tells_nobody_from_anybody_masks_nothing(name: str) -> None:
    add_names({"contact": {"name": name}})
    assert mask_people("A new one: 7 x, Новый") == "A new one: 7 x, Новый"


def test_json_is_masked_by_its_own_fields() -> None:
    shown = {"request": {"body": {"buyer": {"name": NAME}, "comment": f"call {NAME}", "name": "Deal 7"}}}
    body = {"buyer": {"name": "И*** И***"}, "comment": "call И*** И***", "name": "Deal 7"}
    assert mask_people_in_json(shown) == {"request": {"body": body}}


def test_one_request_knows_nothing_of_another() -> None:
    copy_context().run(lambda: (collect_names(), add_names({"contact": {"name": NAME}})))
    assert mask_people(NAME) == NAME
