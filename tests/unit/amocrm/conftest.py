"""Hooks of our own making, shaped like amoCRM's: tests/fixtures/amocrm/NAME.form is a body as it is sent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from relay.amocrm.events import decode_receipt
from relay.model import Event, Receipt

HOOKS = Path(__file__).parents[2] / "fixtures" / "amocrm"


@pytest.fixture(scope="session")
def hook() -> Callable[[str], Receipt]:
    """Return a fixture as the receipt it would make."""

    def load(name: str) -> Receipt:
        return Receipt(
            id="r1",
            source="acme",
            received_at=1763049620123,
            body=(HOOKS / f"{name}.form").read_bytes(),
            content_type="application/x-www-form-urlencoded",
        )

    return load


@pytest.fixture(scope="session")
def event(hook: Callable[[str], Receipt]) -> Callable[[str], Event]:
    """Return the only event of a fixture."""

    def load(name: str) -> Event:
        (only,) = decode_receipt(hook(name))[1]
        return only

    return load
