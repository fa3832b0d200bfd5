"""Substitute `${NAME}` and `${NAME:-default}` in the texts of a configuration file. `$${` is a literal `${`."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from relay.config.addresses import ends_behind_host, is_header, secret_parts
from relay.config.findings import Findings
from relay.config.foreign_variables import variable_meant
from relay.config.line_ends import outer_line_break
from relay.config.yaml import Document, Plain
from relay.errors import YamlPath
from relay.spelling import foreign_letter

_SETTINGS = frozenset({("sources",), ("sinks",), ("api_users",)})  # whose texts are no templates
_NO_NAME = (
    "${ starts a variable: write ${NAME} or ${NAME:-default}, or $${ for the characters; a field is {{ lead.name }}"
)
_NOT_SET = "{name} is not set, or empty: set it in .env or the environment, or write ${{{name}:-a default}}"
_OF_SANDBOX = "RELAY_SANDBOX_"
_NO_SANDBOX = (
    "{name} is set by `relay dev` and `relay demo` alone, for their fake vendors: leave the line out for the vendor "
    "itself, or write ${{{name}:-a default}} for everything else that starts"
)
_FOREIGN_NAME = re.compile(r"\$\{(\w*[\u0400-\u04ff]\w*)\}")
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|\$\{")


@dataclass(frozen=True)
class Substitution:
    """A document's values with their variables substituted, and where the values came from."""

    value: Plain
    from_environment: Mapping[YamlPath, str]  # texts that hold values of the environment: never shown
    unset: Set[YamlPath]  # texts that name a variable which is not set
    defaulted: Mapping[YamlPath, str]  # the name of the variable that was not set, so that its default is used
    hidden: Mapping[
        YamlPath, Sequence[str]
    ]  # what came from the environment into headers, and into addresses behind the host


def substitute_variables(document: Document, environ: Mapping[str, str], findings: Findings) -> Substitution:
    """Put the values of variables in place. One that is not set and has no default is an error.

    An empty variable counts as not set, so that a blank of `.env` is named and never sent as a key. One with a line
    break at its end, as a file or the clipboard gives it, is an error: sent along, it makes a wrong key of a right one.
    What comes from the environment is masked in every finding.
    """
    substituter = _Substituter(document, environ, findings)
    value = substituter.substitute(document.value, ())
    return Substitution(
        value, substituter.from_environment, substituter.unset, substituter.defaulted, substituter.hidden
    )


def without_variables(text: str) -> str:
    """Return a text of the file without its variables: what is written out in it."""
    return _REFERENCE.sub("", text)


@dataclass
class _Substituter:
    document: Document
    environ: Mapping[str, str]
    findings: Findings
    from_environment: dict[YamlPath, str] = field(default_factory=dict)
    unset: set[YamlPath] = field(default_factory=set)
    defaulted: dict[YamlPath, str] = field(default_factory=dict)
    hidden: dict[YamlPath, list[str]] = field(default_factory=dict)

    def substitute(self, value: Plain, path: YamlPath) -> Plain:
        if isinstance(value, dict):
            return {key: self.substitute(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.substitute(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str):
            return self._substitute_text(value, path)
        return value

    def _substitute_text(self, text: str, path: YamlPath) -> str:
        if foreign := _FOREIGN_NAME.search(text):
            self.unset.add(path)
            self._error(path, f"{foreign_letter(foreign[1])} in {foreign[0]}: write it in Latin letters")
            return text
        if meant := variable_meant(_REFERENCE.sub(" ", text), anywhere=path[:1] in _SETTINGS):
            self.unset.add(path)
            self._error(path, f"{meant[0]} is not read as a variable: write {meant[1]}")
        if "${" not in text:
            return text
        substituted, at = "", 0
        for reference in _REFERENCE.finditer(text):
            substituted += text[at : reference.start()]
            value, at = self._value_of(reference, path), reference.end()
            if self.environ.get(reference["name"]) and (is_header(path) or ends_behind_host(substituted)):
                self.hidden.setdefault(path, []).append(value)
            substituted += value
        substituted += text[at:]
        if path in self.from_environment:
            self.from_environment[path] = substituted
            self.hidden.setdefault(path, []).extend(secret_parts(substituted))
        return substituted

    def _value_of(self, reference: re.Match[str], path: YamlPath) -> str:
        if reference[0] == "$${":
            return "${"
        name, default = reference["name"], reference["default"]
        if name is None:
            self.unset.add(path)
            self._error(path, _NO_NAME)
            return ""
        value = self.environ.get(name)
        if default is not None and not value:
            self.defaulted[path] = name
            return str(default).removeprefix(":-")
        if not value:
            self.unset.add(path)
            text = _NO_SANDBOX if name.startswith(_OF_SANDBOX) else _NOT_SET
            self._error(path, text.format(name=name))
            value = ""
        elif where := outer_line_break(value):
            self._error(path, f"{name} has a line break {where} in the environment: set it without")
            value = value.strip()  # what else is wrong with it is said as well
        self.from_environment[path] = value
        self.findings.add_secrets([value])
        return value

    def _error(self, path: YamlPath, message: str) -> None:
        self.findings.error(self.document.position(path), message)
