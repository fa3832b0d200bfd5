"""The keys and fields that Python names are those that the scripts use: every key, field and counter, and no other."""

import inspect

import pytest

from relay.store.fields import (
    ActionField,
    AwayField,
    Counter,
    DeliveryField,
    GateField,
    JobField,
    LifeField,
    NewestField,
    OutcomeField,
    PackingField,
    PeopleField,
    ReceiptField,
    SubscriptionsField,
)
from relay.store.keys import Keys
from tests.unit.store.lua_source import SCRIPTS, counters, fields, key_kinds, tables

FIELDS = {
    "r:": ReceiptField,
    "d:": DeliveryField,
    "j:": JobField,
    "action:": ActionField,
    "gate:": GateField,
    "away:": AwayField,
    "outcomes:": OutcomeField,
    "life": LifeField,
    "people": PeopleField,
    "newest": NewestField,
    "packing": PackingField,
    "subscriptions": SubscriptionsField,
}
RECORDS = ("r:", "d:", "j:")  # of what is claimed
FREE = (
    "ages",
    "window:",
    "stats",
    "retired:",
    "heard",
    "once:",
    "openings",
    "facts",
    "fact_groups",
    "subscriptions:",
    "actions:",
    "shards",
    "ownership",
)  # hashes whose fields are names of their own
ONLY_IN_PYTHON = {"sources", "session", "probe"}


def named(kind: type) -> set[str]:
    return {value for name, value in vars(kind).items() if name.isupper()}


def declared_kinds() -> set[str]:
    """How every key begins that `Keys` makes."""
    made = Keys("x")
    attributes = [key for name, key in vars(made).items() if name != "prefix"]
    methods = [
        method(*["y" for _ in inspect.signature(method).parameters])
        for name, method in inspect.getmembers(made, inspect.ismethod)
        if not name.startswith("_")
    ]
    return {key.removeprefix(made.prefix).partition(":")[0] for key in [*attributes, *methods]}


def used_fields() -> dict[str, set[str]]:
    used: dict[str, set[str]] = {kind: set() for kind in FIELDS}
    for script in SCRIPTS:
        for kind, name in fields(script):
            if kind in FREE:
                continue
            for one in RECORDS if kind == "*" else [kind]:
                used[one].add(name)
    for kind, names in tables("_claiming", "FIELDS").items():
        used[f"{kind}:"].update(names)
    for names in tables("_gates", "GATE").values():
        used["gate:"].update(names)
    return used


def test_every_key_is_named():
    records = {kind.removesuffix(":") for kind in RECORDS}  # of which the script puts the kind together
    used = {kind for script in SCRIPTS for kind in key_kinds(script)} | records
    assert used | ONLY_IN_PYTHON == declared_kinds()


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_is_named(kind):
    assert used_fields()[kind] == named(FIELDS[kind])


def test_every_counter_is_named():
    written_in_python = {Counter.REFUSED}
    assert {name for script in SCRIPTS for name in counters(script)} | written_in_python == named(Counter)
