"""Read the configuration file together with the files that it includes, as one document."""

import glob
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from relay.config.findings import Findings
from relay.config.text_files import read_text
from relay.config.yaml import Document, Plain, parse
from relay.config.yaml_loader import Anchors
from relay.errors import ConfigError, YamlPath

INCLUDE: Final = "include"
OWN_KEYS: Final = "x-"
"""How keys begin that mean nothing here: for anchors, and for other programs."""

_BY_NAME: Final = frozenset({"sources", "sinks", "tables", "templates"})
_LISTS: Final = frozenset({"routes", "api_users"})
_EXAMPLE: Final = "write a file or a pattern, or a list of them, such as [accounts/*.yaml]"


@dataclass(frozen=True)
class Files:
    """A configuration's document, of the main file and the included ones, and their texts by name."""

    document: Document
    texts: Mapping[str, str]


def read_files(text: str, path: str, findings: Findings) -> Files:
    """Parse the main file's text, and read the files that it includes. Mistakes are added to `findings`.

    Raises ConfigError where the syntax of a file leaves nothing to read, or a file cannot be read.
    """
    anchors = Anchors()
    combined, texts, read = _Combination(findings), {path: text}, set[str]()
    main = parse(text, findings, anchors=anchors)
    if not isinstance(main.value, dict):
        return Files(main, texts)
    combined.add(main)
    for at, pattern in enumerate(_patterns(main, findings)):
        position = main.position((INCLUDE, at))
        found = list(_matching(path, pattern))
        if not found:
            findings.error(position, _no_match(path, pattern))
        for file in found:
            if (real := os.path.realpath(file)) not in read:  # two patterns may match it, in two spellings
                read.add(real)
                texts[file] = read_text(file)
                own = anchors.for_included_file()
                combined.add(parse(texts[file], findings, file=file, anchors=own))
                own.report_unused(findings)
    anchors.report_unused(findings)
    return Files(combined.document(), texts)


def included_files(path: str) -> list[Path]:
    """List the files that a configuration file includes, as it is now. Nothing where it cannot be read."""
    return [Path(file) for pattern in _read_patterns(path) for file in _matching(path, pattern)]


def has_includes(path: str) -> bool:
    """Return whether a configuration file includes others, which need not be there yet."""
    return bool(_read_patterns(path))


def _read_patterns(path: str) -> tuple[str, ...]:
    try:
        return _patterns_of(read_text(path))
    except ConfigError:
        return ()


@lru_cache(maxsize=4)
def _patterns_of(text: str) -> tuple[str, ...]:
    if INCLUDE not in text:
        return ()
    findings = Findings("")
    try:
        return tuple(_patterns(parse(text, findings), findings))
    except ConfigError:
        return ()


def _patterns(main: Document, findings: Findings) -> list[str]:
    """Return the patterns of the files to include."""
    if not isinstance(main.value, dict) or INCLUDE not in main.value:
        return []
    value = main.value[INCLUDE]
    patterns = value if isinstance(value, list) else [value]
    texts = [pattern for pattern in patterns if isinstance(pattern, str) and pattern]
    if len(texts) < len(patterns) or not patterns:
        findings.error(main.position((INCLUDE,)), f"{INCLUDE}: {_EXAMPLE}")
    for pattern in filter(_is_bare, texts):
        message = f"{INCLUDE}: {pattern} matches every file, whatever it is: write {pattern.rstrip('/')}/*.yaml"
        findings.error(main.position((INCLUDE,)), message)
    return [pattern for pattern in texts if not _is_bare(pattern)]


def _is_bare(pattern: str) -> bool:
    return pattern.rstrip("/").rpartition("/")[2] == "**"


def _matching(path: str, pattern: str) -> Iterator[str]:
    """Yield the files that a pattern matches, from the main file's folder on, in order. The main file is not one."""
    main = Path(path)
    real = os.path.realpath(main)  # it may be matched in another spelling
    for name in sorted(glob.glob(pattern, root_dir=main.parent, recursive=True)):
        file = main.parent / name
        if file.is_file() and os.path.realpath(file) != real:
            yield str(file)


def _no_match(path: str, pattern: str) -> str:
    if (Path(path).parent / pattern).is_dir():
        return f"{INCLUDE}: {pattern} is a folder: write {pattern.rstrip('/')}/*.yaml"
    return f"{INCLUDE}: no file matches {pattern} in {Path(path).parent}"


@dataclass
class _Combination:
    """Collects the sections of several files. Names and lists go on from file to file, all else stands in one."""

    findings: Findings
    _value: dict[str, Plain] = field(default_factory=dict)
    _parts: Document = field(default_factory=lambda: Document({}, {}, {}))

    def document(self) -> Document:
        return Document(self._value, self._parts.values, self._parts.keys)

    def add(self, file: Document) -> None:
        """Add a file. The first one is the main file, which alone may include others."""
        if file.value is not None and not isinstance(file.value, dict):
            self.findings.error(file.position(()), "an included file must be a mapping, with sources, routes and so on")
            return
        is_main = not self._parts.values
        moved: dict[YamlPath, YamlPath] = {(): ()}
        for key, section in (file.value or {}).items():
            if key == INCLUDE and not is_main:
                self.findings.error(file.key_position((key,)), f"only the main file has {INCLUDE}: write it there")
            elif key != INCLUDE and not key.startswith(OWN_KEYS):
                moved |= self._add_section(key, section, file)
        values = {new: place for path, place in file.values.items() if (new := _move(path, moved)) is not None}
        keys = {new: place for path, place in file.keys.items() if (new := _move(path, moved)) is not None}
        self._parts = Document({}, {**values, **self._parts.values}, {**keys, **self._parts.keys})

    def _add_section(self, key: str, section: Plain, file: Document) -> dict[YamlPath, YamlPath]:
        """Add a section of a file. Returns the new path of each of its parts."""
        present = self._value.get(key)
        whole: dict[YamlPath, YamlPath] = {(key,): (key,)}
        if present is None:
            self._value[key] = section
            return whole
        if isinstance(present, dict) and isinstance(section, dict) and key in _BY_NAME:
            new = {name: value for name, value in section.items() if self._is_new((key, name), file)}
            self._value[key] = {**present, **new}
            return {(key, name): (key, name) for name in new}
        if isinstance(present, list) and isinstance(section, list) and key in _LISTS:
            self._value[key] = [*present, *section]
            return {(key, at): (key, at + len(present)) for at in range(len(section))}
        if section is not None:
            self._is_new((key,), file)
        return {}

    def _is_new(self, path: YamlPath, file: Document) -> bool:
        first = self._parts.keys.get(path)
        if first is not None:
            place = first if first.file else f"{self.findings.file}:{first}"
            self.findings.error(file.key_position(path), f"{path[-1]} is here twice, first at {place}: keep one")
        return first is None


def _move(path: YamlPath, moved: Mapping[YamlPath, YamlPath]) -> YamlPath | None:
    for length in (2, 1):
        if len(path) >= length and path[:length] in moved:
            return (*moved[path[:length]], *path[length:])
    return moved.get(path)
