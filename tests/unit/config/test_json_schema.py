"""The JSON Schema of the YAML, for editors."""

from collections.abc import Iterator
from typing import Any

from relay.amocrm.event_names import EVENTS
from relay.config.json_schema import json_schema
from relay.facts.kinds import FACTS
from relay.sinks.registry import sink_types


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from references(item)


def test_every_reference_leads_somewhere() -> None:
    schema = json_schema(sink_types())
    assert {reference.removeprefix("#/$defs/") for reference in references(schema)} <= schema["$defs"].keys()


def test_every_section_is_there_and_no_other() -> None:
    schema = json_schema(sink_types())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"].keys() == {
        *("sources", "sinks", "tables", "templates", "routes", "api_users", "ingress", "retention", "worker"),
        *("subscribers", "facts", "include"),
    }
    assert schema["additionalProperties"] is False
    assert "required" not in schema, "an included file has the sections that it likes"


def test_a_sink_is_one_of_the_types_with_the_type_s_own_settings() -> None:
    schema = json_schema(sink_types())
    choices = schema["properties"]["sinks"]["additionalProperties"]["oneOf"]
    assert choices == [{"$ref": f"#/$defs/{name}"} for name in sorted(sink_types())]
    for name, sink in sink_types().items():
        definition = schema["$defs"][name]
        assert definition["properties"].keys() == sink.Settings.model_fields.keys()
        assert definition["properties"]["type"] == {"const": name}
        assert definition["additionalProperties"] is False


def test_a_route_knows_all_events_and_all_content_keys() -> None:
    route = json_schema(sink_types())["$defs"]["RouteSettings"]
    one, several = route["properties"]["on"]["anyOf"]
    assert one == several["items"] == {"enum": sorted({*EVENTS, *FACTS})}
    assert {key for sink in sink_types().values() for key in sink.content_keys} < route["properties"].keys()
    assert route["additionalProperties"] is False
    assert route["required"] == ["name", "on", "to"]


def test_a_variable_may_stand_for_a_number_or_a_duration() -> None:
    worker = json_schema(sink_types())["$defs"]["WorkerSection"]["properties"]
    for key in ("batch", "inbox_lease"):
        _, variable = worker[key]["anyOf"]
        assert variable == {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
