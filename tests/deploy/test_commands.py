"""What the files of deploy/ and of the platforms run are commands that this project has."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest
import typer
import yaml

from relay.cli import app
from tests.deploy.programs import DEPLOY, PROJECT

COMMANDS = typer.main.get_command(app)


def understood(line: list[str]) -> bool:
    """Parse a command of `relay` with its options, and run nothing. Raises UsageError."""
    with typer.Context(COMMANDS) as context:
        name, command, rest = COMMANDS.resolve_command(context, line)
        command.make_context(name, rest, parent=context)
    return True


def of_procfile() -> Iterator[str]:
    for line in (PROJECT / "Procfile").read_text().splitlines():
        yield line.partition(": ")[2]


def of_render() -> Iterator[str]:
    for service in yaml.safe_load((PROJECT / "render.yaml").read_text())["services"]:
        yield from (service[key] for key in ("preDeployCommand", "startCommand") if key in service)


def of_systemd() -> Iterator[str]:
    for unit in (DEPLOY / "systemd").glob("*.service"):
        yield from re.findall(r"^ExecStart(?:Pre)?=(.+)$", unit.read_text(), re.MULTILINE)


def of_compose() -> Iterator[str]:
    for service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values():
        if service.get("image") == "amo-relay":
            yield shlex.join(["relay", *service.get("command", ["web"])])


def of_kubernetes() -> Iterator[str]:
    for path in (DEPLOY / "k8s").glob("*.yaml"):
        for thing in yaml.safe_load_all(path.read_text()):
            pod = thing.get("spec", {}).get("template", {}).get("spec", {})
            for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
                if container["image"].startswith("amo-relay:"):
                    yield shlex.join(["relay", *container["args"]])


def of_image() -> Iterator[str]:
    text = (DEPLOY / "Dockerfile").read_text()
    entrypoint, command = (re.findall(rf"^{word} (.+)$", text, re.MULTILINE) for word in ("ENTRYPOINT", "CMD"))
    yield shlex.join(json.loads(entrypoint[0]) + json.loads(command[0]))


@pytest.mark.parametrize(
    ("lines", "number"),
    [(of_procfile, 3), (of_render, 3), (of_systemd, 5), (of_compose, 3), (of_kubernetes, 4), (of_image, 1)],
)
def test_every_line_is_a_command(lines: type, number: int) -> None:
    found = list(lines())
    assert len(found) == number
    for line in found:
        match shlex.split(line):
            case ["python", "-m", "relay", *arguments] | ["relay" | "/opt/relay/bin/relay", *arguments]:
                assert understood(arguments)
            case _:
                pytest.fail(f"not a command of the relay: {line}")


@pytest.mark.parametrize("line", [["work"], ["worker", "--threads", "3"], ["check", "--strikt"]])
def test_a_line_that_is_none_is_noticed(line: list[str]) -> None:
    with pytest.raises(Exception, match="No such"):
        understood(line)
