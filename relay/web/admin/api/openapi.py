"""The description of the JSON API (OpenAPI 3.1), made from the types that its operations take and answer."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from relay import __version__
from relay.web.admin.api.operation import Error, Operation, Operations
from relay.web.admin.refusal import API_ROOT

_REF: Final = "#/components/schemas/{name}"
_PART: Final = {"type": "string", "pattern": r"^[^\s/]{1,200}$"}
_Schema = dict[str, Any]


def describe(operations: Operations) -> _Schema:
    """Return the description. Pure."""
    types = list(dict.fromkeys([Error, *(type for one in operations for type in _types(one))]))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, _Schema] = {}
    for one in operations:
        paths.setdefault(API_ROOT + one.path, {})[one.method.lower()] = _operation(one, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "amo-relay, for operators",
            "version": __version__,
            "description": "What the commands and the pages show and do, with the fields of `--json`. Times are epoch "
            "milliseconds. Authorization: Bearer $RELAY_ADMIN_TOKEN, or to look RELAY_ADMIN_READ_TOKEN.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _types(operation: Operation) -> Iterable[Any]:
    yield operation.answer
    yield operation.query
    if operation.body is not None:
        yield operation.body


def _operation(operation: Operation, schema_of: Mapping[Any, _Schema], components: Mapping[str, _Schema]) -> _Schema:
    described: _Schema = {
        "operationId": f"{operation.method.lower()} {operation.path}",
        "summary": operation.summary,
        "parameters": [
            *({"name": part, "in": "path", "required": True, "schema": _PART} for part in operation.parts),
            *_query_parameters(components[operation.query.__name__]),
        ],
        "responses": {"200": _response("It is done, or this is there.", schema_of[operation.answer])},
    }
    if operation.command:
        described["description"] = f"As `relay {operation.command}`."
    if operation.body is not None:
        content = {"application/json": {"schema": schema_of[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    for status, meaning in _failures(operation).items():
        described["responses"][str(status)] = _response(meaning, schema_of[Error])
    return described


def _query_parameters(schema: _Schema) -> Iterable[_Schema]:
    for name, field in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": field}


def _failures(operation: Operation) -> dict[int, str]:
    failures = {400: "The request is wrong: what, and what would be right.", 401: "No operator asks."}
    if operation.acts or operation.people:
        failures[403] = "This operator may only look."
    if operation.parts:
        failures[404] = "There is no such thing."
    if operation.calls:
        failures[502] = "Who was to be called cannot be reached now."
    if operation.body is not None:
        failures |= {413: "The body is too large.", 415: "The body is no JSON."}
    return failures | {429: "Too many wrong tokens came from this address.", 503: "The store does not answer."}


def _response(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
