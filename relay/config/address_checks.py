"""Check the addresses of a file for secrets that are written out, and hide those that come from the environment.

Of headers, too, what comes from the environment is hidden.
"""

from collections.abc import Mapping, Sequence

from relay.config.addresses import KEYS, is_header, secret_parts
from relay.config.report import Report
from relay.config.sink import SinkSettings
from relay.config.variables import without_variables
from relay.config.yaml import Document, Plain
from relay.errors import YamlPath

_LONG = 12
_WRITTEN_OUT = "a secret in an address is shown wherever it is: set a variable, and write ${NAME} in its place"


def check_addresses(document: Document, report: Report) -> None:
    """Report the secrets that stand in addresses of sinks, as the file has them."""
    whole = document.value if isinstance(document.value, dict) else {}
    _check_part(whole.get("sinks"), ("sinks",), report)


def _check_part(value: Plain, path: YamlPath, report: Report) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_part(inner, (*path, key), report)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            _check_part(inner, (*path, at), report)
    elif isinstance(value, str) and path[-1] in KEYS:
        secrets = list(secret_parts(without_variables(value)))
        if secrets:
            report.findings.add_secrets(part for part in secrets if len(part) >= _LONG)  # a shorter one may be a word
            report.error(path, f"{path[-1]}: {_WRITTEN_OUT}")


def hide_from_environment(sinks: Mapping[str, SinkSettings], hidden: Mapping[YamlPath, Sequence[str]]) -> None:
    """Tell sinks what of their addresses and headers must not be shown."""
    for path, values in hidden.items():
        if path[0] != "sinks" or (settings := sinks.get(str(path[1]))) is None:
            continue
        if is_header(path):
            settings.hide_header(str(path[-1]), values)
        elif path[-1] in KEYS:
            settings.hide_in_addresses(values)
