"""A spare web process prepares all that it can, and serves as soon as it is asked to."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from relay.errors import ConfigError
from relay.web.server import wait_in_standby

CLASS = "relay.live_config.LiveConfig"


@dataclass
class Pipe:
    reading: int
    writing: int

    def ask(self) -> None:
        os.write(self.writing, b"1")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    os.close(made.writing)


def test_it_reads_the_configuration_while_it_waits(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CLASS, lambda _: pipe.ask())  # else it is never asked
    assert wait_in_standby(pipe.reading)


def test_a_configuration_that_is_wrong_now_may_be_right_when_it_is_asked(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        pipe.ask()
        raise ConfigError("config/relay.yaml:1:1: wrong")

    monkeypatch.setattr(CLASS, refuse)
    assert wait_in_standby(pipe.reading)


def test_one_that_is_asked_already_does_not_read_it_twice(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    monkeypatch.setattr(CLASS, read.append)
    pipe.ask()
    assert wait_in_standby(pipe.reading)
    assert read == []
