"""A process goes on while a changed configuration is read, and then has all of it at once."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from relay import live_config
from relay.config.environment import ProcessSettings
from relay.config.load import load_file
from relay.config.watcher import AGAIN_SECONDS
from relay.live_config import LiveConfig
from relay.model import Subscription

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


def test_what_failed_for_another_reason_than_the_file_is_tried_again(
    file: Path, live: LiveConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("for now")

    async def check() -> None:
        monkeypatch.setattr(live_config, "load_file", fail)
        write(file, OTHER)
        assert [await live.poll() for _ in range(3)] == [False, False, False]
        assert live.error == "it could not be read, and is tried again: MemoryError: for now"
        assert not live.changing  # hooks are routed by what is in force
        monkeypatch.setattr(live_config, "load_file", load_file)
        assert not await live.poll()  # not at once
        monkeypatch.setattr(live._watcher, "_monotonic", lambda: time.monotonic() + AGAIN_SECONDS)
        assert await live.poll()
        assert (live.error, list(live.sinks)) == (None, ["other"])

    asyncio.run(check())


class SlowSubscriptions:
    """Subscriptions as a store has them. A reading that is held up returns what was there when it began."""

    def __init__(self) -> None:
        self.listed: tuple[Subscription, ...] = ()
        self.read = 0
        self.began, self.may_go_on = asyncio.Event(), asyncio.Event()

    def add(self, id: int) -> None:
        one = Subscription(
            id=id, source="acme", url=f"https://{id}.example", name="", events=frozenset({"add_lead"}),
            disabled=False, disabled_reason="", created_at=0, updated_at=0, created_by="", sort=id,
        )  # fmt: skip
        self.listed = (*self.listed, one)

    async def version(self) -> int:
        return len(self.listed)

    async def sources(self) -> tuple[str, ...]:
        return ("acme",)

    async def list(self, _: str) -> tuple[Subscription, ...]:
        self.read += 1
        self.began.set()
        found = self.listed
        if self.read == 1:
            await self.may_go_on.wait()
        return found


def test_what_was_read_of_the_subscriptions_later_stays(live: LiveConfig) -> None:
    """The router reads them for a hook, while a drainer's reading, which began before, is held up."""

    async def check() -> None:
        subscriptions = SlowSubscriptions()
        subscriptions.add(1)
        of_drainer = asyncio.create_task(live.refresh_subscriptions(subscriptions))
        await subscriptions.began.wait()
        subscriptions.add(2)
        of_router = asyncio.create_task(live.refresh_subscriptions(subscriptions, 2))
        for _ in range(10):
            await asyncio.sleep(0)
        subscriptions.may_go_on.set()
        await asyncio.gather(of_drainer, of_router)
        assert [one.id for one in live.subscriptions["acme"]] == [1, 2]
        assert live.version[1] == 2

    asyncio.run(check())


def test_a_version_that_was_read_before_is_no_reason_to_read_them_again(live: LiveConfig) -> None:
    async def check() -> None:
        subscriptions = SlowSubscriptions()
        subscriptions.may_go_on.set()
        subscriptions.add(1)
        subscriptions.add(2)
        await live.refresh_subscriptions(subscriptions, 2)
        await live.refresh_subscriptions(subscriptions, 1)  # of a claim whose answer came later
        assert (subscriptions.read, live.version[1]) == (1, 2)

    asyncio.run(check())
