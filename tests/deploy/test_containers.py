"""The Dockerfile and the compose file, read by the programs that know their languages."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import DEPLOY, PROJECT, program, run
from tests.deploy.variables import OWN, SECRETS
from tests.image.building import BASE


def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text()


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    found = run([program("hadolint"), DEPLOY / "Dockerfile"])
    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_is_built_from_locked_files_and_names_no_index() -> None:
    installs = [line for line in dockerfile().splitlines() if " install " in line and "pip" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    for name in ("Dockerfile", "build-requirements.txt"):
        assert not re.search(r"index-url|trusted-host|https?://(?!127\.0\.0\.1)", (DEPLOY / name).read_text())


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+) ", lock.read_text(), re.MULTILINE))


def test_the_lock_with_traces_is_the_lock_and_what_traces_need() -> None:
    plain, traced = pins(PROJECT / "requirements.txt"), pins(DEPLOY / "otel-requirements.txt")
    assert plain.items() <= traced.items()
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= traced.keys() - plain.keys()
    assert traced.items() <= pins(PROJECT / "requirements-dev.txt").items()  # so that tests ran with these
    assert not re.search(r"index-url|trusted-host|https?://", (DEPLOY / "otel-requirements.txt").read_text())


def test_make_image_test_builds_it_on_the_base_that_it_asks_for() -> None:
    image_test = importlib.import_module(
        "tests.image.__main__"
    )  # and fits the rest of the tree, though nothing runs it here
    assert image_test.__doc__.startswith("`make image-test`")
    assert {f"docker.io/library/{base}" for base in re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)} == {BASE}


def test_nothing_but_what_is_named_gets_into_the_image() -> None:
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), re.MULTILINE) for word in line.split()
    }
    assert copied == allowed


@pytest.fixture
def compose(tmp_path: Path) -> dict[str, Any]:
    """Return the compose file as Compose understands it, with .env.example as its .env and all profiles."""
    folder = tmp_path / "deploy"
    folder.mkdir()
    for name, to in (("compose.yaml", "compose.yaml"), (".env.example", ".env")):
        (folder / to).write_text((DEPLOY / name).read_text())
    everything = ["--profile", "tls", "--profile", "monitoring", "config", "--format", "json"]
    said = run([program("docker-compose"), *everything], cwd=folder, env={"RELAY_ADMIN_TOKEN": "t"})
    assert (said.returncode, said.stderr) == (0, "")
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_compose_runs_web_two_workers_and_a_store_that_loses_nothing(compose: dict[str, Any]) -> None:
    services = compose["services"]
    ours = {name for name, service in services.items() if service["image"] == "amo-relay"}
    assert ours == {"check", "web", "worker"}
    assert services["worker"]["deploy"]["replicas"] == 2
    options = " ".join(services["store"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction", "--maxmemory 1gb"):
        assert option in options
    for name in ("web", "worker"):
        assert services[name]["stop_grace_period"] == "30s"
        assert services[name]["depends_on"]["check"]["condition"] == "service_completed_successfully"
    assert {service for service in services if services[service].get("profiles")} == {"caddy", "prometheus", "grafana"}


def test_compose_opens_to_the_world_what_has_tls_only(compose: dict[str, Any]) -> None:
    ports = {
        (name, port["published"]): port.get("host_ip")
        for name, service in compose["services"].items()
        for port in service.get("ports", [])
    }
    assert {key for key, address in ports.items() if address != "127.0.0.1"} == {("caddy", "80"), ("caddy", "443")}


def test_prometheus_gets_the_token_as_a_file(compose: dict[str, Any]) -> None:
    (secret,) = compose["services"]["prometheus"]["secrets"]
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{secret['source']}"
    assert compose["secrets"][secret["source"]]["environment"] == "RELAY_ADMIN_TOKEN"
    assert scrape["static_configs"] == [{"targets": ["web:8000"]}]


def test_grafana_asks_that_prometheus(compose: dict[str, Any]) -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
    assert port in {str(one["target"]) for one in compose["services"][host]["ports"]}


def test_the_example_of_an_environment_sets_no_secret_and_forgets_none(compose: dict[str, Any]) -> None:
    given = compose["services"]["web"]["environment"]
    known = OWN | SECRETS | set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    assert given.keys() <= known
    assert given.keys() >= SECRETS | {"RELAY_ADMIN_TOKEN", "RELAY_SECRET_KEY"}
    assert {given[name] for name in SECRETS} == {""}  # a comment behind a value would be a part of it
