"""Substitute `${NAME}` and `${NAME:-default}` in the texts of a configuration file. `$${` is a literal `${`."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from relay.config.findings import Findings
from relay.config.line_ends import outer_line_break
from relay.config.yaml import Document, Plain
from relay.errors import YamlPath

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|\$\{")


@dataclass(frozen=True)
class Substitution:
    """A document's values with their variables substituted, and where the values came from."""

    value: Plain
    from_environment: Mapping[YamlPath, str]  # texts that hold values of the environment: never shown
    unset: Set[YamlPath]  # texts that name a variable which is not set
    defaulted: Mapping[YamlPath, str]  # the name of the variable that was not set, so that its default is used


def substitute_variables(document: Document, environ: Mapping[str, str], findings: Findings) -> Substitution:
    """Put the values of variables in place. One that is not set and has no default is an error.

    An empty variable counts as not set where there is a default, as in a shell. One with a line break at its end, as a
    file or the clipboard gives it, is an error: sent along, it makes a wrong key of a right one. What comes from the
    environment is masked in every finding.
    """
    substituter = _Substituter(document, environ, findings)
    value = substituter.substitute(document.value, ())
    return Substitution(value, substituter.from_environment, substituter.unset, substituter.defaulted)


@dataclass
class _Substituter:
    document: Document
    environ: Mapping[str, str]
    findings: Findings
    from_environment: dict[YamlPath, str] = field(default_factory=dict)
    unset: set[YamlPath] = field(default_factory=set)
    defaulted: dict[YamlPath, str] = field(default_factory=dict)

    def substitute(self, value: Plain, path: YamlPath) -> Plain:
        if isinstance(value, dict):
            return {key: self.substitute(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.substitute(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._substitute_text(value, path)
        return value

    def _substitute_text(self, text: str, path: YamlPath) -> str:
        substituted = _REFERENCE.sub(lambda reference: self._value_of(reference, path), text)
        if path in self.from_environment:
            self.from_environment[path] = substituted
        return substituted

    def _value_of(self, reference: re.Match[str], path: YamlPath) -> str:
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
            self.unset.add(path)
            self._error(path, f"{name} is not set in the environment: set it, or write ${{{name}:-a default}}")
            value = ""
        elif where := outer_line_break(value):
            self._error(path, f"{name} has a line break {where} in the environment: set it without")
            value = value.strip()  # what else is wrong with it is said as well
        self.from_environment[path] = value
        self.findings.add_secrets([value])
        return value

    def _error(self, path: YamlPath, message: str) -> None:
        self.findings.error(self.document.position(path), message)
