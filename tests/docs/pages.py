"""Read a page: its commands with what they print, and the files that it writes. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PART = re.compile(
    r"^<!-- (?P<directive>file|run|wait for|not run on this page|not run): ?(?P<text>.*?)\s*-->$"
    r"|^```(?P<language>\w*)\n(?P<block>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    """A command, and what the page says that it prints; None: what it prints is left out, and it must succeed."""

    line: int
    text: str
    expected: str | None = None


@dataclass(frozen=True)
class Wait:
    """A command that is run until it succeeds."""

    line: int
    text: str


@dataclass(frozen=True)
class File:
    """A file that the page writes."""

    line: int
    name: str
    content: str


Step = Command | Wait | File


def read_page(text: str) -> list[Step]:
    """Return what a page does, in order. Raises ValueError where a directive has no block."""
    if re.search(r"^<!-- not run on this page: \S", text, re.MULTILINE):
        return []
    return list(_steps(text))


def _steps(text: str) -> Iterator[Step]:
    pending: tuple[str, str] | None = None  # a directive that is about the next block
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        directive, argument = part["directive"], part["text"]
        if directive is None:
            if pending and pending[0] == "file":
                yield File(line, pending[1], part["block"])
            elif part["language"] == "sh" and pending is None:
                yield from _commands(line + 1, part["block"])
            pending = None
        elif directive == "run":
            yield Command(line, argument)
        elif directive == "wait for":
            yield Wait(line, argument)
        elif directive == "file" and "\n" in argument:
            name, _, content = argument.partition("\n")
            yield File(line, name.strip(), content + "\n")
        elif not argument:
            raise ValueError(f"line {line}: {directive} says nothing")
        else:
            pending = directive, argument
    if pending:
        raise ValueError(f"no block follows {pending[0]}: {pending[1]}")


def _commands(first_line: int, block: str) -> Iterator[Command]:
    """Split a block into its commands; without a `$ ` it is one script."""
    starts = [found.start() for found in re.finditer(r"^\$ ", block, re.MULTILINE)]
    if not starts:
        yield Command(first_line, block)
    elif starts[0] != 0:
        raise ValueError(f"line {first_line}: the block begins with what no command prints")
    for start, end in zip(starts, [*starts[1:], len(block)], strict=False):
        found = re.match(r"\$ ((?:.*\\\n)*.*)\n?", block[start:end])
        assert found is not None
        line = first_line + block.count("\n", 0, start)
        yield Command(line, found[1], block[start + found.end() : end])
