"""What a mask looks like, and a telephone number, is known in one place."""

import re
from pathlib import Path

import pytest

import relay
import workers

HOME = Path(relay.__file__).parent
FILES = sorted({*HOME.rglob("*.py"), *Path(workers.__file__).parent.rglob("*.py")})


@pytest.mark.parametrize(
    ("sign", "what"),
    [(r"[^*]\*\*\*[^*]", "a mask"), (r"\[\^?\\?[78]{2}\]|\\\+7", "a pattern of telephone numbers")],
)
def test_nothing_else_makes_one(sign: str, what: str) -> None:
    found = {str(file.relative_to(HOME.parent)) for file in FILES if re.search(sign, file.read_text())}
    assert {name for name in found if name.startswith("relay/masking/")}, f"{what}: does the test still find it?"
    assert not {name for name in found if not name.startswith("relay/masking/")}, what
