"""A file that is edited while the relay runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from relay.config.config import Config
from relay.config.load import load_file
from relay.config.watcher import ConfigWatcher
from relay.errors import ConfigError


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
    assert watcher.poll() is None
    return watcher.poll()


def test_the_first_file_must_be_valid(file: Path, load: Callable[[], Config]) -> None:
    file.write_text("sources: {}")
    with pytest.raises(ConfigError):
        ConfigWatcher(str(file), load)


def test_an_unchanged_file_is_not_loaded_again(watcher: ConfigWatcher) -> None:
    assert watcher.poll() is None
    assert watcher.poll() is None
    assert token(watcher) == "one-one-one"


def test_a_changed_file_is_loaded_once(file: Path, watcher: ConfigWatcher) -> None:
    file.write_text(text("two-two-two"))
    assert settle(watcher) is watcher.current
    assert token(watcher) == "two-two-two"
    assert watcher.poll() is None


def test_a_file_that_is_still_being_written_is_left_alone(file: Path, watcher: ConfigWatcher) -> None:
    """Half a file may be valid."""
    for part in ("two-two-two", "three-three", "four-four-four"):
        file.write_text(text(part))
        assert watcher.poll() is None
    assert watcher.poll() is watcher.current
    assert token(watcher) == "four-four-four"


def test_an_invalid_file_leaves_the_valid_one_in_force_and_says_why(file: Path, watcher: ConfigWatcher) -> None:
    file.write_text("sources: {acme: 5}")
    with structlog.testing.capture_logs() as logged:
        assert settle(watcher) is None
    assert watcher.error is not None
    assert watcher.error.startswith(f"{file}:1:17: acme: must be a mapping, such as")
    assert token(watcher) == "one-one-one"
    with structlog.testing.capture_logs() as logged_later:
        assert watcher.poll() is None
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
    assert watcher.poll() is None
    file.write_text(text("two-two-two"))
    assert settle(watcher) is watcher.current
    assert watcher.error is None
