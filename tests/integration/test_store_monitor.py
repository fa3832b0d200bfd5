"""The web process's view of the store, and of the configuration beside it."""

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.web.store_monitor import StoreMonitor

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
"""


@pytest.fixture
def live(tmp_path) -> LiveConfig:
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    return LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))


def test_an_answer_that_nobody_expected_is_told_and_ends_nothing(run, reader, live, monkeypatch) -> None:
    monitor = StoreMonitor(reader, live)
    run(monitor.check())
    assert monitor.problem is None

    async def refuse(*_: object) -> None:
        raise ResponseError("NOPERM this user has no permissions to run the 'info' command")

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(reader.client, "info", refuse)
        run(monitor.check())
    assert "NOPERM" in (monitor.problem or "")
    assert [line["event"] for line in lines] == ["store.away"]
    run(monitor.check())
    assert monitor.problem is None
