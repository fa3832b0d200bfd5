"""Restore a backup into a folder that has no store."""

import gzip
import shutil
import tarfile
from pathlib import Path
from typing import Final

import redis

from relay.backup.archive import Manifest, copy_snapshot, describe_write_error, open_archive
from relay.backup.make import STORE
from relay.backup.server import run_server
from relay.embedded.server import EmbeddedStore
from relay.errors import RelayError, StoreUnavailable
from relay.processes.folder import LockedFolder
from relay.store.keys import Keys

# What the server calls the first files of an append-only log. Its base may be a snapshot.
_LOG: Final = Path("appendonlydir")
_BASE: Final = "appendonly.aof.1.base.rdb"
_LIST: Final = "appendonly.aof.manifest"


def restore_backup(source: Path, folder: Path, namespace: str) -> tuple[Manifest, int]:
    """Make the store of a folder from a backup. Returns its manifest, and how many receipts the store has now.

    Raises RelayError; then the folder has no store, as before.
    """
    with open_archive(source) as (manifest, archive):
        if manifest.namespace != namespace:
            raise RelayError(f"{source} is of RELAY_NAMESPACE={manifest.namespace}: set that; nothing was changed")
        locked = LockedFolder(folder)
        try:
            store = EmbeddedStore(folder / STORE)
            if store.folder.exists() and any(store.folder.iterdir()):
                raise RelayError(f"{store.folder} has a store: restore into an empty folder; nothing was changed")
            new = store.folder.with_name("store.new")
            try:
                _write(new, manifest, archive)
                receipts = _count(EmbeddedStore(new), locked, namespace)
                new.replace(store.folder)
            except gzip.BadGzipFile:
                raise
            except OSError as error:
                raise RelayError(f"{new}: {describe_write_error(error)}; nothing was changed") from error
            finally:
                shutil.rmtree(new, ignore_errors=True)
            return manifest, receipts
        finally:
            locked.release()


def _write(new: Path, manifest: Manifest, archive: tarfile.TarFile) -> None:
    shutil.rmtree(new, ignore_errors=True)  # of one that was killed
    (new / _LOG).mkdir(parents=True)
    copy_snapshot(archive, new / _LOG / _BASE, manifest)
    (new / _LOG / _LIST).write_text(f"file {_BASE} seq 1 type b\n")


def _count(store: EmbeddedStore, locked: LockedFolder, namespace: str) -> int:
    """Start the store once, to see that it can read what was restored, before it takes its place."""
    try:
        with run_server(store, locked), redis.Redis(unix_socket_path=str(store.socket)) as client:
            return int(client.zcard(Keys(namespace).receipts))
    except StoreUnavailable:  # it has not read all of it, which says nothing about the backup
        raise
    except (RelayError, redis.RedisError) as error:
        raise RelayError(f"the backup cannot be used: {error}") from error
