"""The tools of the MCP endpoint: whatever the JSON API only reads, by the same parameters. Pure."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from relay.config.suggestions import did_you_mean
from relay.errors import RelayError
from relay.model import Record
from relay.web.admin.api.operation import Operation
from relay.web.admin.api.queries import Reveal
from relay.web.admin.api.routes import OPERATIONS

_REVEAL: Final = {field.name for field in msgspec.structs.fields(Reveal)}  # nobody is shown unmasked to a model
_PART: Final = {"type": "string", "minLength": 1, "maxLength": 200}


class UnknownTool(RelayError):
    """A tool was called that does not exist, or with an argument that it does not take."""


class Address(Record):
    """What a call of a tool asks the JSON API: the parts of the path by name, and the query as it is sent."""

    path: str  # below /admin/api
    parts: dict[str, str]
    query: str


def _name(operation: Operation) -> str:
    """Return the name of a tool, which follows from the address: `events`, `events_by_id_explanation`."""
    words = [f"by_{one.strip('{}')}" if one.startswith("{") else one for one in operation.path.strip("/").split("/")]
    return "_".join(words).replace("-", "_")


TOOLS: Final[Mapping[str, Operation]] = {
    _name(one): one for one in OPERATIONS if one.method == "GET" and not one.acts and not one.hands_out
}


def find_tool(name: str) -> Operation:
    """Return what a tool reads. Raises UnknownTool."""
    if name not in TOOLS:
        raise UnknownTool(f"there is no tool {name[:60]!r}: {did_you_mean(name, TOOLS)}")
    return TOOLS[name]


def describe_tool(operation: Operation) -> str:
    """Return what a tool does, in a line or two."""
    return f"{operation.summary} As `relay {operation.command}`."


def input_schema(operation: Operation) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments: the parts of the path, then the parameters."""
    described = msgspec.json.schema(operation.query)
    definitions = described.pop("$defs")
    query = definitions.pop(operation.query.__name__)
    given = {name: field for name, field in query["properties"].items() if name in _parameters(operation)}
    return {
        "type": "object",
        "properties": {**dict.fromkeys(operation.parts, _PART), **given},
        "required": [*operation.parts, *query.get("required", ())],
        "additionalProperties": False,
        **({"$defs": definitions} if definitions else {}),
    }


def make_address(operation: Operation, arguments: Mapping[str, Any]) -> Address:
    """Return what the JSON API is asked by a call. Raises UnknownTool."""
    known = [*operation.parts, *_parameters(operation)]
    for name in arguments:
        if name not in known:
            what = did_you_mean(name, known) if known else "there are none"
            raise UnknownTool(f"there is no argument {name[:60]!r} here: {what}")
    parts = {part: str(arguments.get(part, "")) for part in operation.parts}
    path = operation.path
    for part, value in parts.items():
        if not value:
            raise UnknownTool(f"{part}: missing")
        path = path.replace(f"{{{part}}}", quote(value, safe=""))
    query = {name: _text(value) for name, value in arguments.items() if name not in parts and value is not None}
    return Address(path=path, parts=parts, query=urlencode(query))


def _parameters(operation: Operation) -> list[str]:
    hidden = _REVEAL if issubclass(operation.query, Reveal) else set()
    return [one.encode_name for one in msgspec.structs.fields(operation.query) if one.name not in hidden]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
