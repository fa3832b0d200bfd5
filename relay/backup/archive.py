"""The file of a backup: a compressed tar with a manifest and a snapshot of the store.

It is written beside its place and moved there once it is whole; it is private, for the store holds what people are
called.
"""

import contextlib
import errno
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
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        raise RelayError(f"{target}: {describe_write_error(error)}; nothing was written") from error
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def describe_write_error(error: OSError) -> str:
    """Say why a file could not be written, and what to do where that is for want of room."""
    hint = ": choose a place with more room" if error.errno in _FULL else ""
    return f"{error.strerror or error}{hint}"


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
def open_archive(path: Path) -> Iterator[tuple[Manifest, tarfile.TarFile]]:
    """Open a backup to copy its snapshot. Raises RelayError where it is none, is cut short, or of another version."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            manifest = _read_manifest(archive)
            _check_version(path, manifest)
            yield manifest, archive
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise RelayError(f"{path} is no whole backup ({error}): use another one; nothing was changed") from error
    except OSError as error:
        raise RelayError(f"{path}: {error.strerror or error}; nothing was changed") from error


def _read_manifest(archive: tarfile.TarFile) -> Manifest:
    return msgspec.json.decode(_open_member(archive, _MANIFEST).read(_CHUNK), type=Manifest)


def _open_member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.next()
    file = None if member is None or member.name != name else archive.extractfile(member)
    if file is None:
        raise tarfile.ReadError(f"without {name}")
    return file


def _check_version(path: Path, manifest: Manifest) -> None:
    if manifest.format != FORMAT or _numbers(manifest.version) > _numbers(__version__):
        raise RelayError(
            f"{path} is of relay {manifest.version}, this is {__version__}: "
            f"install amo-relay=={manifest.version}, restore, then update; nothing was changed"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def copy_snapshot(archive: tarfile.TarFile, target: Path, manifest: Manifest) -> None:
    """Write the snapshot of a backup to a file, and check the backup to its end.

    Raises RelayError, OSError, and what `open_archive` makes one line of where the backup is not whole.
    """
    found, file = hashlib.sha256(), _open_member(archive, _SNAPSHOT)
    with target.open("wb") as written:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    if found.hexdigest() != manifest.sha256:
        raise RelayError("the backup is damaged, its snapshot has another sum: use another one; nothing was changed")
    _read_end(archive)


def _read_end(archive: tarfile.TarFile) -> None:
    """Read what follows the last member, zeros: only at the end of its stream does gzip check its sum and length."""
    assert archive.fileobj is not None
    zeros = 0
    while chunk := archive.fileobj.read(_CHUNK):
        if chunk.strip(b"\0"):
            raise tarfile.ReadError("with more than a snapshot")
        zeros += len(chunk)
    if zeros < 2 * tarfile.BLOCKSIZE:
        raise tarfile.ReadError("without its end")
