"""Run the server of a folder's store for a short while, to read what it has."""

import contextlib
from collections.abc import Iterator

from relay.embedded.server import EmbeddedStore
from relay.processes.folder import LockedFolder
from relay.processes.orphan_guard import OrphanGuard


@contextlib.contextmanager
def run_server(store: EmbeddedStore, locked: LockedFolder) -> Iterator[None]:
    """Run a store's server in a block. Raises RelayError where it does not start.

    It keeps the folder's lock as long as it lives, and a guard ends it should this process be killed: a closed terminal
    must not leave a server beside which another could be started on the same data.
    """
    guard = OrphanGuard()
    try:
        store.spawn(pass_fds=(locked.fileno(),))
        guard.watch(store.pid)
        store.wait_until_ready()
        yield
    finally:
        store.stop()
        guard.close()
