"""Find secrets in the addresses of sinks: written out they are mistakes, from the environment they are masked. Pure."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote

from relay.errors import YamlPath

KEYS: Final = frozenset({"url", "token_url", "probe_url"})
"""The settings that are addresses."""

_BEFORE_PATH = re.compile(r"https?://[^/?#]*[/?#]")
_HOST = re.compile(r"https?://[^/?#]*")
_SECRET_NAME = re.compile(
    r"(?:.*[_-])?(?:key|apikey|api[_-]?id|token|secret|hash|sig|signature|auth|code|password|passwd|psw|pass|pwd)", re.I
)
_BOT = re.compile(r"bot\d+:.+", re.I)  # Telegram's
_RUN = re.compile(r"[A-Za-z0-9]{16,}|[A-Za-z0-9_-]{32,}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_FEWEST_DIGITS = 2


def secret_parts(address: str) -> Iterator[str]:
    """Yield what in the path and query of an address is a secret by its name or by its look."""
    path, _, query = _HOST.sub("", address, count=1).partition("?")
    for segment in path.split("/"):
        if _looks_secret(unquote(segment)):
            yield segment
            if _BOT.fullmatch(segment):
                yield segment.partition(":")[2]  # as they may quote it
    for name, value in parse_qsl(query.partition("#")[0]):
        if value and not value.startswith("<") and (_SECRET_NAME.fullmatch(name) or _looks_secret(value)):
            yield value


def ends_behind_host(beginning: str) -> bool:
    """Return whether the beginning of an address is complete up to its path or query."""
    return bool(_BEFORE_PATH.match(beginning))


def is_header(path: YamlPath) -> bool:
    """Return whether a header of a sink stands at a path of the configuration."""
    return len(path) == 4 and path[0] == "sinks" and path[2] == "headers"


def _looks_secret(segment: str) -> bool:
    """Return whether a segment looks random: no word, no number, and no UUID, which as a rule is no secret."""
    if _BOT.fullmatch(segment):
        return True
    if _UUID.fullmatch(segment):
        return False
    return any(
        sum(letter.isdigit() for letter in run) >= _FEWEST_DIGITS and not run.replace("-", "").isdigit()
        for run in _RUN.findall(segment)
    )
