"""`relay schema`: the JSON Schema of the configuration file."""

from relay.cli.display.output import print_json
from relay.config.json_schema import json_schema
from relay.sinks.registry import sink_types


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    print_json(json_schema(sink_types()), reveal=True)
