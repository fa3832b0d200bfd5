"""What is wrong in a configuration file, and where: collected and reported all at once, without secret values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from relay.errors import ConfigError
from relay.masking import mask_secrets

_MAX_VALUE = 60
_MAX_VISIBLE = 5  # characters in a row of a value that is concealed
_MAX_SEARCHED = 10_000


class Position(NamedTuple):
    """Line and column, both counted from 1, and the file where it is an included one."""

    line: int
    column: int
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else f"{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake: where it is, what is wrong, and what would be right."""

    file: str  # "" is the main file, whose findings come first
    line: int
    column: int
    message: str

    def format(self, main_file: str) -> str:
        """Return it as one line, the way editors and compilers write theirs."""
        return f"{self.file or main_file}:{self.line}:{self.column}: {self.message}"


@dataclass
class Findings:
    """Collects the findings of a file and those it includes.

    Errors refuse the file, warnings do so only with `check --strict`.
    """

    file: str
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def error(self, position: Position, message: str) -> None:
        """Add what makes the file unusable."""
        self.errors.append(_finding(position, message))

    def warn(self, position: Position, message: str) -> None:
        """Add what works, but is not fit for production."""
        self.warnings.append(_finding(position, message))

    def fail(self, position: Position, message: str) -> NoReturn:
        """Raise ConfigError with every error so far and this one, after which nothing can be read."""
        self.error(position, message)
        raise self._config_error()

    def add_secrets(self, values: Iterable[str]) -> None:
        """Mask these values in every message."""
        self.secrets.update(values)

    def raise_errors(self) -> None:
        """Raise ConfigError with every error, sorted by position, where there is one."""
        if self.errors:
            raise self._config_error()

    def sorted_warnings(self) -> tuple[Finding, ...]:
        """Return the warnings, masked and sorted by position."""
        return tuple(self._printable(self.warnings))

    def _config_error(self) -> ConfigError:
        return ConfigError("\n".join(finding.format(self.file) for finding in self._printable(self.errors)))

    def _printable(self, findings: Iterable[Finding]) -> Sequence[Finding]:
        return sorted(
            {
                Finding(found.file, found.line, found.column, _one_line(mask_secrets(found.message, self.secrets)))
                for found in findings
            }
        )


def format_value(value: object) -> str:
    """Return a value for a message: texts in quotes, cut to a length that fits a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"


def conceal_values(message: str, values: Sequence[str]) -> str:
    """Return a message with values of the environment masked; another message where pieces of them are left in it."""
    message = mask_secrets(message, values)
    length = _MAX_VISIBLE + 1
    for value in values:
        if any(value[at : at + length] in message for at in range(min(len(value), _MAX_SEARCHED) - length + 1)):
            return "the value from the environment is not possible here"
    return message


def _finding(position: Position, message: str) -> Finding:
    return Finding(position.file, position.line, position.column, message)


def _one_line(text: str) -> str:
    return " ".join(text.split())
