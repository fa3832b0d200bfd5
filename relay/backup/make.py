"""Back up the store of `relay up`, while it runs or not."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import redis

from relay import __version__
from relay.backup.archive import FORMAT, Manifest, digest, refuse_to_overwrite, write_archive
from relay.backup.server import run_server
from relay.embedded.server import EmbeddedStore
from relay.errors import RelayError, StoreUnavailable
from relay.processes.folder import LockedFolder, running_environ
from relay.store.keys import Keys

STORE: Final = "store"
_DUMP: Final = "dump.rdb"
_POLL_SECONDS: Final = 0.1


def make_backup(folder: Path, target: Path, namespace: str, *, overwrite: bool = False) -> Manifest:
    """Write a snapshot of a folder's store to a file; everything acknowledged before is in it. Raises RelayError."""
    refuse_to_overwrite(target, overwrite=overwrite)
    if not target.parent.is_dir():
        raise RelayError(f"{target.parent} is no folder: make it, or name a file elsewhere")
    with _open_store(folder) as store, redis.Redis(unix_socket_path=str(store.socket)) as client:
        snapshot = store.folder / _DUMP
        try:
            made_at, receipts = _save(client, store.folder, Keys(namespace))
            manifest = Manifest(
                format=FORMAT,
                version=__version__,
                namespace=namespace,
                made_at=made_at,
                receipts=receipts,
                size=snapshot.stat().st_size,
                sha256=digest(snapshot),
            )
            write_archive(target, manifest, snapshot, overwrite=overwrite)
        except redis.RedisError as error:
            raise StoreUnavailable(f"the store could not be saved: {error}; nothing was written") from error
        finally:
            snapshot.unlink(missing_ok=True)
    return manifest


@contextlib.contextmanager
def _open_store(folder: Path) -> Iterator[EmbeddedStore]:
    """Return the store that runs; one that does not is started meanwhile. Raises RelayError where there is none."""
    store = EmbeddedStore(folder / STORE)
    if not store.folder.is_dir():
        raise RelayError(f"{folder.absolute()} has no store: call this in the folder where `relay up` runs")
    with _alone(store.folder):
        if running_environ(folder):
            yield store
            return
        locked = LockedFolder(folder)
        try:
            with run_server(store, locked):
                yield store
        finally:
            locked.release()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """See that one backup of a store is made at a time: all use the same snapshot. Raises RelayError."""
    fd = os.open(folder, os.O_RDONLY)  # the folder itself: a file for it could be another user's
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RelayError(
                f"another backup of {folder} is being made: call this again; nothing was written"
            ) from None
        yield
    finally:
        os.close(fd)


def _save(client: redis.Redis, folder: Path, keys: Keys) -> tuple[int, int]:
    """Have the store write its snapshot. Returns when that was begun, and how many receipts there were."""
    needed, free = int(client.info("memory")["used_memory"]), shutil.disk_usage(folder).free
    if free < needed:  # a disk that is full would stop the store itself
        raise RelayError(f"{folder}: {free} bytes are free, up to {needed} are needed: make room; nothing was written")
    _wait_while(client, "aof_rewrite_in_progress")
    seconds, micros = client.time()
    receipts = int(client.zcard(keys.receipts))
    try:
        client.bgsave(schedule=False)
    except redis.ResponseError as error:
        raise RelayError(f"the store is being saved already ({error}): call this again; nothing was written") from error
    _wait_while(client, "rdb_bgsave_in_progress")
    if client.info("persistence")["rdb_last_bgsave_status"] != "ok":
        raise RelayError(f"the store could not write {folder / _DUMP}: see store.log beside it; nothing was written")
    return int(seconds) * 1000 + int(micros) // 1000, receipts


def _wait_while(client: redis.Redis, state: str) -> None:
    while client.info("persistence")[state]:
        time.sleep(_POLL_SECONDS)
