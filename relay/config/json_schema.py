"""The JSON Schema of the YAML, for editors: completion and descriptions while typing. `relay check` finds the rest."""

from typing import Any, TypeAlias

from relay.config.include import OWN_KEYS
from relay.config.schema import NAME_PATTERN, ConfigFile, RouteSettings, SinkType, SinkTypes, all_content_keys
from relay.events import EVENT_ENTITIES

Schema: TypeAlias = dict[str, Any]

_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
_NAMES: Schema = {"pattern": f"^{NAME_PATTERN.pattern}$"}


def json_schema(sink_types: SinkTypes) -> Schema:
    """Build the schema (draft 2020-12) of the whole file: every type's settings, content keys and event names."""
    schema = ConfigFile.model_json_schema()
    definitions, sections = schema["$defs"], schema["properties"]
    for name, sink_type in sorted(sink_types.items()):
        definitions.update(_sink_definitions(name, sink_type))
    sinks = [{"$ref": f"#/$defs/{name}"} for name in sorted(sink_types)]
    sections["sinks"] |= {"additionalProperties": {"oneOf": sinks}, "propertyNames": _NAMES}
    sections["sources"]["propertyNames"] = _NAMES
    definitions[RouteSettings.__name__] |= _route_definition(
        definitions[RouteSettings.__name__]["properties"], sink_types
    )
    schema["patternProperties"] = {f"^{OWN_KEYS}": {"description": "Of your own: for anchors that << merges"}}
    del schema["required"]  # an included file has the sections that it likes
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_allow_variables(_allow_merges(schema))}


def _sink_definitions(name: str, sink_type: SinkType) -> Schema:
    """Return the definitions of one type. Inner ones are prefixed with its name: two types may have the same."""
    settings = sink_type.Settings.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    inner = settings.pop("$defs", {})
    settings["properties"]["type"] = {"const": name}
    return {name: settings, **{f"{name}.{model}": schema for model, schema in inner.items()}}


def _route_definition(keys: Schema, sink_types: SinkTypes) -> Schema:
    event = {"enum": sorted(EVENT_ENTITIES)}
    keys["on"] |= {"anyOf": [event, {"type": "array", "items": event, "minItems": 1}]}
    content = {key: {"description": "Content for the sink"} for key in sorted(all_content_keys(sink_types))}
    return {
        "properties": keys | content,
        "additionalProperties": False,
    }


def _allow_merges(schema: Any) -> Any:
    """Allow `<<` beside the keys of every mapping, for editors that do not merge before they check."""
    if isinstance(schema, list):
        return [_allow_merges(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _allow_merges(value) for key, value in schema.items()}
    if schema.get("additionalProperties") is not False:
        return inner
    return {**inner, "patternProperties": {**schema.get("patternProperties", {}), "^<<$": {}}}


def _allow_variables(schema: Any) -> Any:
    """Allow a variable wherever a number, a boolean or a pattern is expected."""
    if isinstance(schema, list):
        return [_allow_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: value if key == "propertyNames" else _allow_variables(value) for key, value in schema.items()}
    is_restricted = schema.get("type") in ("integer", "number", "boolean") or ("pattern" in schema and "type" in schema)
    return {"anyOf": [inner, _VARIABLE]} if is_restricted else inner
