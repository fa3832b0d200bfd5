"""What is wrong in a configuration file, and where: collected, told all at once, without secret values."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from relay.errors import ConfigError

YamlPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the top of the file."""

Position: TypeAlias = tuple[int, int]
"""Line and column, both counted from 1."""

_SHOWN = 60
_NAMED = 12
_PIECE = 6  # characters of a secret that must not be seen together
_LONGEST = 10_000
_SHORTEST_SECRET = 4  # masking every "1" would garble the texts and tell nothing


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to mend: where, what, and what would be right."""

    line: int
    column: int
    text: str

    def told(self, file: str) -> str:
        """Say it in one line, as editors and compilers do."""
        return f"{file}:{self.line}:{self.column}: {self.text}"


@dataclass
class Findings:
    """Collect the findings of one file: errors refuse it, warnings count with `check --strict`."""

    file: str
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def error(self, mark: Position, text: str) -> None:
        """Note what makes the file unusable."""
        self.errors.append(Finding(*mark, text))

    def warn(self, mark: Position, text: str) -> None:
        """Note what works, but is not fit for production."""
        self.warnings.append(Finding(*mark, text))

    def fail(self, mark: Position, text: str) -> NoReturn:
        """Raise ConfigError with every error so far and this one, after which nothing can be read."""
        self.error(mark, text)
        raise self._refusal()

    def hide(self, values: Iterable[str]) -> None:
        """Mask these values in every text, whoever wrote it."""
        for value in values:
            if len(value) >= _SHORTEST_SECRET:
                self.secrets |= {value, repr(value)[1:-1]}

    def raise_errors(self) -> None:
        """Raise ConfigError with every error, sorted by place, when there is one."""
        if self.errors:
            raise self._refusal()

    def told_warnings(self) -> tuple[Finding, ...]:
        """Return the warnings, sorted by place and masked."""
        return tuple(self._ready(self.warnings))

    def _refusal(self) -> ConfigError:
        return ConfigError("\n".join(finding.told(self.file) for finding in self._ready(self.errors)))

    def _ready(self, findings: Iterable[Finding]) -> Sequence[Finding]:
        return sorted({Finding(f.line, f.column, _one_line(self._masked(f.text))) for f in findings})

    def _masked(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):  # the longest first: one may hold another
            text = text.replace(secret, "***")
        return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return what would be right instead of an unknown name: the nearest one, or some of them."""
    names = sorted(known)
    if close := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        return f"did you mean {close[0]}?"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"known: {', '.join(names[:_NAMED])}{more}" if names else "there is none"


def format_value(value: object) -> str:
    """Quote a value that was seen, cut to a length that fits a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def discreet(text: str, hidden: Iterable[str]) -> str:
    """Return a text about hidden values without them; without the text where pieces of them are left in it."""
    for value in hidden:
        for form in (repr(value), value, repr(value)[1:-1]):
            text = text.replace(form, "***") if form else text
        if any(value[at : at + _PIECE] in text for at in range(min(len(value), _LONGEST) - _PIECE + 1)):
            return "what the environment says is not possible here"
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())
