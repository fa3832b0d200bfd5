"""A process goes on while a changed configuration is read, and then has all of it at once."""

import asyncio
import threading
from pathlib import Path

import pytest

from relay import live_config
from relay.config.environment import ProcessSettings
from relay.config.load import load_file
from relay.live_config import LiveConfig

TEXT = """
sources: {{acme: {{type: amocrm, token: long-enough}}}}
sinks: {{{sink}: {{type: log}}}}
routes: [{{name: all, on: add_lead, to: {sink}}}]
"""
ONE, OTHER = TEXT.format(sink="one"), TEXT.format(sink="other")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "relay.yaml"
    path.write_text(ONE)
    return path


@pytest.fixture
def live(file: Path) -> LiveConfig:
    return LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(file)}))


def write(file: Path, text: str) -> None:
    file.write_text(text)


def hold(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let reading a file wait for an event."""
    may_read = threading.Event()

    def read(*args: object, **options: object):
        assert may_read.wait(10), "nothing went on meanwhile"
        return load_file(*args, **options)

    monkeypatch.setattr(live_config, "load_file", read)
    return may_read


def test_the_loop_goes_on_while_a_changed_file_is_read(
    file: Path, live: LiveConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        write(file, OTHER)
        assert not await live.poll()  # it is seen changed
        reading = asyncio.create_task(live.poll())
        await asyncio.sleep(0)
        assert not await live.poll()  # nobody reads it twice
        assert live.changing
        assert list(live.sinks) == list(live.config.sinks) == ["one"]
        may_read.set()
        assert await reading
        assert not live.changing
        assert list(live.sinks) == list(live.config.sinks) == ["other"]

    may_read = hold(monkeypatch)
    asyncio.run(check())


def test_a_file_that_changes_while_it_is_read_is_read_again(
    file: Path, live: LiveConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        write(file, OTHER + "# being written")
        await live.poll()
        reading = asyncio.create_task(live.poll())
        await asyncio.sleep(0)
        write(file, TEXT.format(sink="third"))
        may_read.set()
        await reading
        assert [await live.poll() for _ in range(3)].count(True) <= 1
        assert not live.changing
        assert list(live.sinks) == list(live.config.sinks) == ["third"]

    may_read = hold(monkeypatch)
    asyncio.run(check())


def test_a_file_that_is_refused_leaves_what_is_in_force_and_is_read_once(file: Path, live: LiveConfig) -> None:
    async def check() -> None:
        write(file, "sources: [")
        assert [await live.poll() for _ in range(3)] == [False, False, False]
        assert live.error is not None
        assert not live.changing
        assert list(live.sinks) == ["one"]

    asyncio.run(check())
