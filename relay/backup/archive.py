"""The file of a backup: a compressed tar with a manifest and a snapshot of the store.

It is written beside its place and moved there once it is whole; it is private, for the store holds what people are
called.
"""

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from relay import __version__
from relay.errors import RelayError
from relay.model import Record

FORMAT: Final = 1  # rises when an older relay could not use the store any more
_MANIFEST, _SNAPSHOT = "manifest.json", "store.rdb"
_CHUNK: Final = 1 << 20
_COMPRESSION: Final = 3  # the snapshot is compressed a little itself


class Manifest(Record):
    """What a backup has in it. `made_at` is a time of the store, in epoch milliseconds; `size` is in bytes."""

    format: int
    version: str
    namespace: str
    made_at: int
    receipts: int
    size: int
    sha256: str


def write_archive(target: Path, manifest: Manifest, snapshot: Path, *, overwrite: bool) -> None:
    """Write a backup: whole, or not at all. Raises RelayError."""
    new: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            new = Path(file.name)
            _write_members(file, manifest, snapshot)
            file.flush()
            os.fsync(file.fileno())
        refuse_to_overwrite(target, overwrite=overwrite)  # somebody may have been faster
        new.replace(target)
    except OSError as error:
        raise RelayError(f"{target}: {error.strerror}: choose a place with more room; nothing was written") from error
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def refuse_to_overwrite(target: Path, *, overwrite: bool) -> None:
    """Raise RelayError where a file exists that is not to be overwritten."""
    if target.exists() and not overwrite:
        raise RelayError(f"{target} exists: name another file, or say --force")


def _write_members(file: IO[bytes], manifest: Manifest, snapshot: Path) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(manifest))
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_COMPRESSION) as archive:
        member = tarfile.TarInfo(_MANIFEST)
        member.size = len(encoded)
        archive.addfile(member, io.BytesIO(encoded))
        archive.add(snapshot, _SNAPSHOT, recursive=False)


def digest(snapshot: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with snapshot.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[tuple[Manifest, IO[bytes]]]:
    """Open a backup to read its snapshot. Raises RelayError where it is none, is cut short, or of another version."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            manifest = _read_manifest(archive)
            _check_version(path, manifest)
            member = archive.next()
            file = None if member is None or member.name != _SNAPSHOT else archive.extractfile(member)
            if file is None:
                raise tarfile.ReadError("without a snapshot")
            yield manifest, file
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise RelayError(f"{path} is no whole backup ({error}): use another one; nothing was changed") from error
    except OSError as error:
        raise RelayError(f"{path}: {error.strerror or error}; nothing was changed") from error


def _read_manifest(archive: tarfile.TarFile) -> Manifest:
    member = archive.next()
    file = None if member is None or member.name != _MANIFEST else archive.extractfile(member)
    if file is None:
        raise tarfile.ReadError("without a manifest")
    return msgspec.json.decode(file.read(_CHUNK), type=Manifest)


def _check_version(path: Path, manifest: Manifest) -> None:
    if manifest.format != FORMAT or _numbers(manifest.version) > _numbers(__version__):
        raise RelayError(
            f"{path} is of relay {manifest.version}, this is {__version__}: "
            f"install amo-relay=={manifest.version}, restore, then update; nothing was changed"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def copy_snapshot(file: IO[bytes], target: Path, manifest: Manifest) -> None:
    """Write the snapshot of a backup to a file, and compare it with the manifest. Raises RelayError, OSError."""
    found = hashlib.sha256()
    with target.open("wb") as written:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    if found.hexdigest() != manifest.sha256:
        raise RelayError("the backup is damaged, its snapshot has another sum: use another one; nothing was changed")
