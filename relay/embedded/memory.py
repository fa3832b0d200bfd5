"""How much memory the store may take."""

import os
from pathlib import Path
from typing import Final

_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_SHARE: Final = 2  # the other half: web, workers, and the copy that is made while the store's file is rewritten


def store_memory(cgroup_limit: Path = _CGROUP_LIMIT) -> int:
    """Return the bytes for the store's data: half of what this machine, or this container, has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = cgroup_limit.read_text().strip() if cgroup_limit.exists() else ""
    limit = int(text) if text.isdigit() else memory
    return min(memory, limit) // _SHARE
