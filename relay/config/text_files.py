"""Read a text file as people save theirs: where it is not UTF-8, the error says what it is."""

from collections.abc import Sequence
from pathlib import Path

from relay.errors import ConfigError

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_FEWEST = 3  # letters that tell an encoding
_MOSTLY = 0.8  # of the characters that are no ASCII


def read_text(path: str, advice: str = "make it readable for the relay") -> str:
    """Return the text of a file, without a byte order mark. `advice` is for a file that cannot be read.

    Raises ConfigError, with the place of what is not UTF-8.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: {advice}") from error
    if content.startswith(_UTF16) or b"\0" in content[:2]:
        raise ConfigError(f"{path}:1:1: the file is saved as UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        found = f"byte {content[error.start]:02X} is not UTF-8"
        if _is_windows_1251(content.splitlines()):
            found = "the file is saved as Windows-1251"
        raise ConfigError(f"{path}:{line}:{column}: {found}: save it as UTF-8") from error


def _is_windows_1251(lines: Sequence[bytes]) -> bool:
    """Return whether what is no ASCII would be Russian, read as Windows-1251."""
    try:
        letters = [letter for line in lines for letter in line.decode("cp1251") if ord(letter) > 127]
    except UnicodeDecodeError:
        return False
    russian = [letter for letter in letters if "а" <= letter.lower() <= "я" or letter in "ёЁ«»№—"]
    return len(russian) >= max(_FEWEST, _MOSTLY * len(letters))
