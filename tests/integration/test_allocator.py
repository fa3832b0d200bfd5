"""The embedded store's memory is given out by an allocator of its own."""

import sys
from pathlib import Path

import pytest

from relay.embedded.server import EmbeddedStore


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's allocator is used")
def test_the_server_uses_it(tmp_path: Path) -> None:
    server = EmbeddedStore(tmp_path)
    server.start()
    try:
        assert "libmimalloc" in Path(f"/proc/{server.pid}/maps").read_text()
    finally:
        server.stop()
