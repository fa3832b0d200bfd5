"""`relay schema`: the JSON Schema of the configuration file."""

from relay.cli.display.output import print_json
from relay.config.json_schema import json_schema
from relay.sinks import TYPES


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    print_json(json_schema(TYPES), reveal=True)
