"""docs/privacy.md says of every key of the store what an erasure does to it."""

import inspect
import re
from pathlib import Path

from relay.store.keys import Keys

PAGE = Path(__file__).parents[3] / "docs" / "privacy.md"


def declared() -> set[str]:
    """Return how every key begins that `Keys` makes, up to the first colon and with it; channels are no keys."""
    keys = Keys("x")
    made = [key for name, key in vars(keys).items() if name != "prefix"]
    for name, method in inspect.getmembers(keys, inspect.ismethod):
        if name not in ("__init__", "wake_ups"):
            made.append(method(*["y" for _ in inspect.signature(method).parameters]))
    names = [key.removeprefix(keys.prefix) for key in made]
    return {name if name in ("finished:dead", "finished:packed") else re.sub(r":.*", ":", name) for name in names}


def documented() -> set[str]:
    (table,) = re.findall(r"^\| key \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_key_stands_in_the_table_and_no_other() -> None:
    assert declared() - documented() == set()
    assert documented() - declared() == set()
