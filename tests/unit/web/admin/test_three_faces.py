"""Every list, filter and act exists as a command, an address of the API and a page: docs/api.md says which.

What exists in one and not in the table, or only in the table, fails here; so does an option without its parameter.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from relay.cli import COMMANDS
from relay.cli.loading import load_command
from relay.web.admin.api.operation import Operation
from relay.web.admin.api.routes import OPERATIONS
from relay.web.admin.routes import page_routes

DOCS: Final = Path(__file__).parents[4] / "docs" / "api.md"
_QUOTED: Final = re.compile("`([^`]+)`")
_ADDRESS: Final = re.compile(r"`(GET|POST) ([^`]+)`")
BULK: Final = "--all"
"""The row of what commands do to all that filters find."""
# How a command works on a terminal.
OF_THE_TERMINAL: Final = {"json", "yes", "wait", "every", "context", "once", "strict", "file"}
# Options that are written otherwise in the API, or are the command's alone.
OTHERWISE: Final = {
    "audit": {"reveal"},  # `by` is a filter there, and who reveals must be known
    "catch-up": {"dry_run"},  # it asks the account for minutes
    "problems list": {"muted"},  # the API has them all, each with its state
    "names": {"check"},  # an address of its own
    "events show": {"as_case"},  # a file for `relay test`, which is a command alone
    "explain": {"what"},  # a file: the body itself is posted
    "deliveries resend": {"render"},  # an address of its own
    "held resend": {"render"},
    "dead resend": {"render"},
}
RENAMED: Final = {"event": "events", "name": "sink", "source": "name"}  # what may be repeated; what the address names
# What browsers load and follow, and what belongs to no command.
NO_COMMANDS: Final = {"/admin", "/admin/look", "/admin/changes", "/admin/static/{digest}/{name}"}


def commands() -> Mapping[str, Any]:
    """Return every command that does something, by its words."""
    found: dict[str, Any] = {}
    for name in COMMANDS:
        loaded = load_command(name)
        found |= {f"{name} {one}": command for one, command in getattr(loaded, "commands", {}).items()} or {
            name: loaded
        }
    return found


def rows(number: int) -> Iterator[list[str]]:
    """Yield the rows of a table of the page, as cells."""
    tables = re.findall(r"(?:^\|.*\n)+", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    for line in tables[number].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


TABLE: Final = [(_QUOTED.findall(names), addresses, pages) for names, addresses, pages in rows(0)]
NAMES: Final = [name for names, _, _ in TABLE for name in names]


def operations(addresses: str) -> list[Operation]:
    """Return the operations that a cell names."""
    named = _ADDRESS.findall(addresses)
    return [one for one in OPERATIONS if (one.method, one.path) in named]


def test_every_command_stands_in_one_of_the_tables() -> None:
    alone = [name for row in rows(1) for name in _QUOTED.findall(row[0])]
    assert sorted([*NAMES, *alone]) == sorted([*commands(), BULK])


def test_every_address_stands_beside_the_command_that_it_says_it_is() -> None:
    told = {address for _, addresses, _ in TABLE for address in _ADDRESS.findall(addresses)}
    assert told == {(one.method, one.path) for one in OPERATIONS}
    wrong = []
    for one in OPERATIONS:
        beside = {name for names, addresses, _ in TABLE if one in operations(addresses) for name in names}
        wrong += [one.path] if (one.command.removesuffix(" --render") or BULK) not in beside else []
    assert wrong == []


def test_every_page_stands_beside_a_command_and_every_command_beside_a_page() -> None:
    told: set[str] = set()
    for names, _, pages in TABLE:
        paths = {f"/admin{path}" for path in _QUOTED.findall(pages)}
        assert paths or pages.startswith("none: "), names
        told |= paths
    there = {route.path for route in page_routes()}
    assert told - there == set()
    assert there - told == NO_COMMANDS


def parameters(operation: Operation) -> set[str]:
    """Return what an address takes, in its path, query or body."""
    fields = [*msgspec.structs.fields(operation.query), *msgspec.structs.fields(operation.body or operation.query)]
    return {field.encode_name for field in fields} | set(operation.parts)


@pytest.mark.parametrize("name", [name for name in NAMES if name != BULK])
def test_every_option_has_its_parameter(name: str) -> None:
    (addresses,) = [cell for names, cell, _ in TABLE if name in names]
    taken = {parameter for one in operations(addresses) for parameter in parameters(one)}
    options = {option.name for option in commands()[name].params} - OF_THE_TERMINAL - OTHERWISE.get(name, set())
    if "rate" in options and "ids" in options:  # what filters find is acted on by an action
        (every,) = [one for one in OPERATIONS if (one.method, one.path) == ("POST", "/actions")]
        taken |= parameters(every)
    by_id = {"ids"} if "id" in taken else set()  # commands take several
    assert {one for one in options - by_id if not {one, RENAMED.get(one)} & taken} == set()
