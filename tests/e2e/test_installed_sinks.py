"""Sinks and SMS gateways of installed packages: what `example_package` adds is found by its entry points."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.config.environment import environ
from tests.e2e.harness import HookSender, lead_hook, run_relay, sandbox_requests, until

ROOT = Path(__file__).parents[2]
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  chat: {type: mattermost, url: "${RELAY_SANDBOX_URL:-http://127.0.0.1:1}/chat", key: k1, channel: sales}
  texts: {type: textline, url: "${RELAY_SANDBOX_URL:-http://127.0.0.1:1}/texts", key: "not-to-be-shown"}
routes:
  - {name: new lead to the chat, on: add_lead, to: chat, text: "{{ lead.name }}"}
  - {name: text to the seller, on: add_lead, to: texts, phone: "+79161234567", text: "{{ lead.name }}"}
"""

Relay = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package into a folder of its own, as pip does it for a user. Nothing is downloaded."""
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("site-packages")
    shutil.copytree(ROOT / "tests" / "e2e" / "example_package", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", target, source], check=True)
    return target


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    """Run a command as a process that finds packages in these folders too."""

    def run(*arguments: str, packages: Path | None = None, config: str = CONFIG) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "relay.yaml").write_text(config)
        variables = {**environ(), "PYTHONPATH": python_path(packages), "RELAY_CONFIG": "relay.yaml"}
        command = [sys.executable, "-m", "relay", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)

    return run


def python_path(packages: Path | None) -> str:
    return os.pathsep.join(map(str, filter(None, (packages, ROOT))))


def test_relay_check_knows_the_types_of_installed_packages(relay: Relay, installed: Path) -> None:
    checked = relay("check", packages=installed)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("relay.yaml is valid: 1 source(s), 2 route(s), 2 sink(s)")


def test_without_the_package_they_are_unknown(relay: Relay) -> None:
    checked = relay("check")
    assert checked.returncode == 1
    assert "unknown type 'mattermost'" in checked.stderr


def test_their_settings_and_content_keys_are_checked_like_those_of_the_relay(relay: Relay, installed: Path) -> None:
    config = CONFIG.replace("key: k1, ", "").replace("to: chat, text:", "to: chat, txt:")
    checked = relay("check", packages=installed, config=config)
    assert checked.returncode == 1
    assert "key is missing" in checked.stderr
    assert "unknown key txt, did you mean text?" in checked.stderr
    assert "text is missing: a sink of type mattermost needs it" in checked.stderr


def test_a_log_sink_takes_their_content_keys_too(relay: Relay, installed: Path) -> None:
    schema = json.loads(relay("schema", packages=installed).stdout)
    assert {"mattermost", "textline"} <= schema["$defs"].keys()
    config = CONFIG.replace(
        'type: mattermost, url: "${RELAY_SANDBOX_URL:-http://127.0.0.1:1}/chat", key: k1, channel: sales', "type: log"
    )
    assert relay("check", packages=installed, config=config).returncode == 0


def test_a_package_may_be_imported_before_the_relay(installed: Path) -> None:
    """As its own tests do. The relay's interface must not load the package a second time meanwhile."""
    script = "import relay_example.mattermost, relay_example.textline; from relay.sinks.registry import sink_types;"
    script += "assert sink_types()['mattermost'] is relay_example.mattermost.MattermostSink"
    variables = {**environ(), "PYTHONPATH": python_path(installed)}
    subprocess.run([sys.executable, "-c", script], env=variables, check=True, timeout=60)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:Sink", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("json:JSONDecoder", "is no subclass of relay.sinks.base.Sink"),
    ],
)
def test_a_broken_package_is_named_and_there_is_no_traceback(
    relay: Relay, tmp_path: Path, value: str, reason: str
) -> None:
    metadata = tmp_path / "packages" / "broken-2.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n")
    (metadata / "entry_points.txt").write_text(f"[amo_relay.sinks]\nfax = {value}\n")
    checked = relay("check", packages=tmp_path / "packages")
    assert checked.returncode == 1
    assert checked.stderr == f"broken 2.0: the entry point amo_relay.sinks:fax = {value} {reason}\n"


def test_deliveries_reach_them(tmp_path: Path, installed: Path) -> None:
    with run_relay(tmp_path, CONFIG, PYTHONPATH=python_path(installed)) as processes:
        amo = HookSender(processes)
        amo.post_until_taken(lead_hook(1, name="Кофе"))
        amo.close()
        requests = until(lambda: len(found := sandbox_requests(processes)) == 2 and found, what="both requests")
    by_vendor = {request["vendor"]: request for request in requests}
    assert by_vendor["chat"]["path"] == "/hooks/k1"
    assert json.loads(by_vendor["chat"]["body"]) == {"text": "Кофе", "channel": "sales"}
    assert by_vendor["texts"]["path"] == "/send"
    assert "to=%2B79161234567" in by_vendor["texts"]["body"]
