"""The configuration files of the project are right, and the default works as it stands."""

import re
import subprocess
from pathlib import Path

import pytest

from relay.config.config import Config
from relay.config.findings import Findings
from relay.config.load import load_file
from relay.config.schema import (
    ApiUserSettings,
    ConfigFile,
    IngressSection,
    RetentionSection,
    RouteSettings,
    SourceSettings,
    WorkerSection,
)
from relay.config.yaml import parse
from relay.sinks.registry import sink_types

ROOT = Path(__file__).parents[3]
DEFAULT = Path("config/relay.yaml")
DEMO = Path("relay/demo/relay.yaml")
FULL = Path("config/examples/full.yaml")
FULL_TEXTS = "".join(path.read_text() for path in [FULL, *FULL.parent.glob("accounts/*.yaml")])
VARIABLES = {
    **dict.fromkeys(re.findall(r"\$\{(\w+)\}", FULL_TEXTS), "a-secret-for-the-test"),
    "TELEGRAM_TOKEN": "1234567890:a-secret-for-the-test",
    "TEAM_URL": "slack://a-secret-for-the-test",
}


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.chdir(request.config.rootpath)


def load(path: Path, **environ: str) -> Config:
    return load_file(str(path), environ=environ, sink_types=sink_types())


def test_the_default_needs_no_variable() -> None:
    config = load(DEFAULT)
    assert config.hook_tokens == {"demo": [b"demo-token"]}
    assert [route.name for route in config.routes_for("demo", frozenset({"status_lead"}))] == [
        "invoice for a won deal",
        "stage change text message",
    ]


def test_the_default_is_strict_about_nothing_but_its_secrets() -> None:
    secrets = ["DEMO_HOOK_TOKEN", "BOOKS_TOKEN", "UNISENDER_API_KEY", "SMSC_PASSWORD"]
    found = [finding.message for finding in load(DEFAULT).findings]
    assert [text.partition(" is a default that everybody can read: set ")[2] for text in found] == secrets
    assert load(DEFAULT, **dict.fromkeys(secrets, "a-secret-of-our-own")).findings == ()


def test_the_demo_does_what_the_default_does_as_it_comes() -> None:
    variables = {"RELAY_SANDBOX_URL": "http://127.0.0.1:9999"}
    demo, default = load(DEMO, **variables), load(DEFAULT, **variables)
    assert (demo.sources, demo.sinks, demo.tables) == (default.sources, default.sinks, default.tables)
    written = [parse(path.read_text(), Findings(str(path))).value for path in (DEMO, DEFAULT)]
    for part in ("routes", "templates"):
        assert written[0][part] == written[1][part]


def test_the_default_sends_to_the_sandbox_wherever_it_is() -> None:
    sinks = load(DEFAULT, RELAY_SANDBOX_URL="http://127.0.0.1:9999").sinks
    assert {name: settings.model_dump().get("url") for name, settings in sinks.items()} == {
        "accounting": "http://127.0.0.1:9999/books",
        "newsletter": "http://127.0.0.1:9999/unisender",
        "sms": "http://127.0.0.1:9999/smsc",
        "console": None,
    }


def test_the_full_example_is_valid_and_fit_for_production(tmp_path: Path) -> None:
    files = {"PARTNER_CERTIFICATE": str(tmp_path / "us.pem"), "PARTNER_CERTIFICATE_KEY": str(tmp_path / "us.key")}
    make_certificate(*files.values())
    assert load(FULL, **{**VARIABLES, **files, "RELAY_SECRET_KEY": "a-secret-for-the-test"}).findings == ()


def make_certificate(cert: str, key: str) -> None:
    """Make a certificate of nobody's, and its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([*command, "-subj", "/CN=relay", "-keyout", key, "-out", cert], check=True, capture_output=True)


def test_the_full_example_has_every_key() -> None:
    named = {path[-1] for path in parse(FULL.read_text(), Findings(str(FULL))).keys}
    for model in (
        ConfigFile,
        SourceSettings,
        RouteSettings,
        ApiUserSettings,
        IngressSection,
        RetentionSection,
        WorkerSection,
        *(sink.Settings for sink in sink_types().values()),
    ):
        assert set(model.model_fields) <= named
