"""`${NAME}` and `${NAME:-default}` in the texts of a configuration file. `$${` stands for the characters themselves."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.config.findings import Findings, YamlPath
from relay.config.yaml import Document, Plain

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|\$\{")


@dataclass(frozen=True)
class SubstitutedDocument:
    """A document's values with their variables, and which places took theirs from where."""

    value: Plain
    given: Mapping[YamlPath, str]  # place -> the text in which the environment spoke: never shown
    defaulted: Mapping[YamlPath, str]  # place -> the variable that was not set


def substitute_variables(document: Document, environ: Mapping[str, str], findings: Findings) -> SubstitutedDocument:
    """Put the environment's values in place; a variable that is missing without a default is an error.

    An empty variable counts as not set where there is a default, as in a shell. What comes from the environment is
    hidden in every finding.
    """
    filling = _Filling(document, environ, findings)
    return SubstitutedDocument(filling.fill(document.value, ()), filling.given, filling.defaulted)


@dataclass
class _Filling:
    document: Document
    environ: Mapping[str, str]
    findings: Findings
    given: dict[YamlPath, str] = field(default_factory=dict)
    defaulted: dict[YamlPath, str] = field(default_factory=dict)

    def fill(self, value: Plain, path: YamlPath) -> Plain:
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._text(value, path)
        return value

    def _text(self, text: str, path: YamlPath) -> str:
        filled = _REFERENCE.sub(lambda reference: self._value(reference, path), text)
        if path in self.given:
            self.given[path] = filled
        return filled

    def _value(self, reference: re.Match[str], path: YamlPath) -> str:
        if reference[0] == "$${":
            return "${"
        name, default = reference["name"], reference["default"]
        if name is None:
            self._error(path, "${ starts a variable: write ${NAME} or ${NAME:-default}, or $${ for the characters")
            return ""
        value = self.environ.get(name)
        if default is not None and not value:
            self.defaulted[path] = name
            return str(default).removeprefix(":-")
        if value is None:
            self._error(path, f"{name} is not set in the environment: set it, or write ${{{name}:-a default}}")
        self.given[path] = value or ""
        self.findings.hide([value or ""])
        return value or ""

    def _error(self, path: YamlPath, text: str) -> None:
        self.findings.error(self.document.mark(path), text)
