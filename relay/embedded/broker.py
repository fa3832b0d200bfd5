"""The broker beside the embedded store: what it holds may be lost at any moment, so no write of it waits for a disk."""

from pathlib import Path
from typing import Final

from relay.embedded.server import EmbeddedStore

_MEMORY: Final = "64mb"  # bells have a hundred bytes, and workers take them at once


def make_broker(folder: Path) -> EmbeddedStore:
    """Return a server for Celery's messages, in a folder of its own within `folder`. Its owner must stop it."""
    return EmbeddedStore(folder / "broker", "--appendonly", "no", "--maxmemory", _MEMORY)
