"""A write of which nothing may be lost."""

import asyncio

import pytest

from relay.errors import StoreUnavailable
from workers import store_writes
from workers.store_writes import retry_store_write


class Write:
    """Finds the store away so many times."""

    def __init__(self, away: int) -> None:
        self.away, self.calls = away, 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.away:
            raise StoreUnavailable("away")
        return "written"


@pytest.mark.parametrize("away", [0, 1, 2])
def test_it_is_repeated_until_it_succeeds(away: int) -> None:
    write = Write(away)
    assert asyncio.run(retry_store_write(write)) == "written"
    assert write.calls == away + 1


def test_after_its_time_the_caller_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writes, "RETRY_SECONDS", 0)
    with pytest.raises(StoreUnavailable, match="away"):
        asyncio.run(retry_store_write(Write(9)))
