"""Report what is wrong with a document, at the position of the value or key that it is about."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from relay.config.findings import Findings, conceal_values
from relay.config.known_answers import known_key
from relay.config.suggestions import did_you_mean
from relay.config.yaml import Document
from relay.errors import YamlPath


@dataclass(frozen=True)
class Report:
    """Adds findings about one document. Values that came from the environment are not in its messages."""

    document: Document
    findings: Findings
    from_environment: Mapping[YamlPath, str]
    unset: Set[YamlPath] = frozenset()  # where a variable is not set, which is reported already

    def error(self, path: YamlPath, message: str) -> None:
        """Add an error about a value."""
        if path in self.unset:
            return
        self.findings.error(self.document.position(path), self._without_environment(path, message))

    def key_error(self, path: YamlPath, message: str) -> None:
        """Add an error about a key: it is unknown, or its value is incomplete."""
        self.findings.error(self.document.key_position(path), self._without_environment(path, message))

    def warn(self, path: YamlPath, message: str) -> None:
        """Add a warning about a key."""
        self.findings.warn(self.document.key_position(path), message)

    def unknown_key(self, path: YamlPath, known: Iterable[str]) -> None:
        """Add an error about a key that means nothing at its place."""
        name, names = str(path[-1]), list(known)
        answer = known_key(path, names)
        self.key_error(path, f"unknown key {name}, {f'write {answer}' if answer else did_you_mean(name, names)}")

    def repeated(self, values: Mapping[YamlPath, str]) -> Iterator[tuple[YamlPath, str]]:
        """Find values that repeat an earlier one. Yields the path of each, and the place of the first one."""
        first: dict[str, YamlPath] = {}
        for path, value in values.items():
            if value and value in first:
                yield path, str(self.document.position(first[value]))
            first.setdefault(value, path)

    def _without_environment(self, path: YamlPath, message: str) -> str:
        inside = [value for place, value in self.from_environment.items() if place[: len(path)] == path]
        return conceal_values(message, inside)
