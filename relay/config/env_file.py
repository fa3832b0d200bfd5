"""Read `.env`, the file in the working folder that holds variables of the environment."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from relay.config.text_files import read_text
from relay.errors import ConfigError

ENV_FILE: Final = ".env"
_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED: Final = re.compile(r"""(["'])(.*)\1\s*(?:#.*)?""")
_COMMENT: Final = re.compile(r"(?:^|\s+)#.*")


def read_env_file(folder: Path) -> dict[str, str]:
    """Return the variables of a folder's `.env`; none where there is no such file. It is read once in a process.

    Raises ConfigError, which shows no value.
    """
    return dict(_read(folder / ENV_FILE))


@cache
def _read(path: Path) -> dict[str, str]:
    try:
        text = read_text(str(path), "make it readable for this user")
    except ConfigError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return {}
        raise
    return parse_env_file(text, str(path))


def parse_env_file(text: str, file: str) -> dict[str, str]:
    """Parse lines of NAME=value; `file` is its name in messages. Pure. Raises ConfigError.

    A value may stand in quotes. Without them it ends before a blank and a #. Nothing is substituted.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        pair = _LINE.fullmatch(stripped)
        if pair is None:
            raise ConfigError(f"{file}:{number}: not a variable: write NAME=value, or a # before it")
        found[pair[1]] = _value(pair[2])
    return found


def _value(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    return quoted[2] if quoted else _COMMENT.sub("", text).rstrip()
