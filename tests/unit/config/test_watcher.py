"""A file that is edited while the relay runs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from relay.config.config import Config
from relay.config.load import load_file
from relay.config.watcher import SAME_TIME_SECONDS, ConfigWatcher
from relay.errors import ConfigError
from tests.polling import poll


def text(token: str) -> str:
    return f"sources: {{acme: {{type: amocrm, token: {token}}}}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "relay.yaml"
    path.write_text(text("one-one-one"))
    return path


@pytest.fixture
def load(file: Path) -> Callable[[], Config]:
    return lambda: load_file(str(file), environ={}, sink_types={})


@pytest.fixture
def watcher(file: Path, load: Callable[[], Config]) -> ConfigWatcher:
    return ConfigWatcher(str(file), load)


def token(watcher: ConfigWatcher) -> str:
    return watcher.current.sources["acme"].tokens[0].get_secret_value()


def settle(watcher: ConfigWatcher) -> Config | None:
    """Poll until the change that was made has stood still."""
    assert poll(watcher) is None
    return poll(watcher)


def test_the_first_file_must_be_valid(file: Path, load: Callable[[], Config]) -> None:
    file.write_text("sources: {}")
    with pytest.raises(ConfigError):
        ConfigWatcher(str(file), load)


def test_an_unchanged_file_is_not_loaded_again(watcher: ConfigWatcher) -> None:
    assert poll(watcher) is None
    assert poll(watcher) is None
    assert token(watcher) == "one-one-one"


def test_a_changed_file_is_loaded_once(file: Path, watcher: ConfigWatcher) -> None:
    file.write_text(text("two-two-two"))
    assert settle(watcher) is watcher.current
    assert token(watcher) == "two-two-two"
    assert poll(watcher) is None


def test_a_file_that_is_still_being_written_is_left_alone(file: Path, watcher: ConfigWatcher) -> None:
    """Half a file may be valid."""
    for part in ("two-two-two", "three-three", "four-four-four"):
        file.write_text(text(part))
        assert poll(watcher) is None
    assert poll(watcher) is watcher.current
    assert token(watcher) == "four-four-four"


def test_an_invalid_file_leaves_the_valid_one_in_force_and_says_why(file: Path, watcher: ConfigWatcher) -> None:
    file.write_text("sources: {acme: 5}")
    with structlog.testing.capture_logs() as logged:
        assert settle(watcher) is None
    assert watcher.error is not None
    assert watcher.error.startswith(f"{file}:1:17: acme: must be a mapping, such as")
    assert token(watcher) == "one-one-one"
    with structlog.testing.capture_logs() as logged_later:
        assert poll(watcher) is None
    assert [line["event"] for line in logged + logged_later] == ["config.refused"]


def test_an_invalid_file_that_is_taken_back_leaves_no_error(file: Path, watcher: ConfigWatcher) -> None:
    file.write_text("sources: [")
    settle(watcher)
    file.write_text(text("one-one-one"))
    assert settle(watcher) is None, "what is in force already is no news"
    assert watcher.error is None


def test_a_file_that_vanished_is_an_error_until_it_is_back(file: Path, watcher: ConfigWatcher) -> None:
    file.unlink()
    assert settle(watcher) is None
    assert (
        watcher.error
        == f"{file}: No such file or directory: `relay init` writes one, RELAY_CONFIG names one that is elsewhere"
    )
    file.write_text(text("one-one-one"))
    assert settle(watcher) is None
    assert watcher.error is None


def test_a_file_that_is_replaced_during_a_poll_is_loaded(file: Path, watcher: ConfigWatcher) -> None:
    file.unlink()
    assert poll(watcher) is None
    file.write_text(text("two-two-two"))
    assert settle(watcher) is watcher.current
    assert watcher.error is None


class Watched:
    """A watcher of which it is known when it reads, with a clock of its own."""

    def __init__(self, file: Path, load: Callable[[], Config], monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.reads = 0.0, 0
        self.watcher = ConfigWatcher(str(file), load, lambda: self.now)
        read = Path.read_bytes

        def counted(path: Path) -> bytes:
            self.reads += path == file
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", counted)

    def poll(self, after: float) -> bool:
        """Poll after so many seconds; return whether it has read the file."""
        self.now += after
        before = self.reads
        poll(self.watcher)
        return self.reads > before


@pytest.fixture
def watched(file: Path, load: Callable[[], Config], monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(file, load, monkeypatch)


def test_what_has_looked_the_same_for_two_seconds_is_not_read_again(file: Path, watched: Watched) -> None:
    within = SAME_TIME_SECONDS / 2
    assert [watched.poll(within) for _ in range(5)] == [True, True, True, False, False]
    file.write_text(text("two-two-two"))
    assert [watched.poll(within) for _ in range(5)] == [True, True, True, True, False]
    assert token(watched.watcher) == "two-two-two"


def test_a_change_that_shows_in_no_time_of_the_file_is_found_within_two_seconds(
    file: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the file system keeps whole seconds, and both texts are of one length."""
    monkeypatch.setattr("relay.config.watcher._look_at", lambda _: (1,))
    watched.poll(0)
    file.write_text(text("two-two-two"))
    watched.poll(SAME_TIME_SECONDS + 0.1)
    watched.poll(0.1)
    assert token(watched.watcher) == "two-two-two"


@pytest.mark.parametrize("how", ["its old time", "another file in its place", "names"])
def test_what_is_not_read_any_more_is_read_when_it_changes(file: Path, watched: Watched, how: str) -> None:
    for _ in range(2):
        watched.poll(SAME_TIME_SECONDS + 1)
    assert not watched.poll(1)
    before = file.stat()
    if how == "its old time":
        file.write_text(text("two-two-two"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "another file in its place":
        (file.parent / "new").write_text(text("two-two-two"))
        (file.parent / "new").rename(file)
    else:
        (file.parent / "names").mkdir()
    assert watched.poll(1)


def test_a_file_that_includes_others_is_always_read(file: Path, watched: Watched) -> None:
    """A pattern may match what is added anywhere."""
    file.write_text("include: [more/*.yaml]\n" + text("two-two-two"))
    assert [watched.poll(SAME_TIME_SECONDS + 1) for _ in range(4)] == [True] * 4
    (file.parent / "more").mkdir()
    (file.parent / "more" / "routes.yaml").write_text("routes: []\n")
    watched.poll(1)
    watched.poll(1)
    assert token(watched.watcher) == "two-two-two"
