"""What the processes of `relay up` find in their environment: it wins over `.env`, which each reads again."""

from pathlib import Path

import pytest

from relay.cli.up import child_environ
from relay.config.environment import environ


def test_a_variable_that_was_emptied_on_purpose_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://proxy.example:3128\nNO_PROXY=\n")
    monkeypatch.setenv("HTTPS_PROXY", "")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("LISTEN_PID", "1")
    found = child_environ({"REDIS_URL": "redis://127.0.0.1"})
    assert (found["HTTPS_PROXY"], found["NO_PROXY"], found["REDIS_URL"]) == ("", "", "redis://127.0.0.1")
    assert "LISTEN_PID" not in found
    assert environ()["HTTPS_PROXY"] == ""
