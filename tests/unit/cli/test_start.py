"""A command imports what it needs and nothing else: to import all that there is takes over a second."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from contextlib import suppress
from relay.cli import app
from relay.cli.loading import load_command

with suppress(SystemExit):
    {code}
print("imported:", *sorted({never} & sys.modules.keys()))
"""
SERVERS = {
    *("celery", "kombu", "uvicorn", "starlette", "prometheus_client", "valkey", "phonenumbers", "cryptography.fernet"),
}
CALLS = {"relay.transport", "yarl", "httptools", "uuid_utils"}
STORE = {"redis", "asyncio"}
CONFIGURATION = {"relay.config.load", "jinja2", "yaml", "re2", "tenacity"}
LOGS = {"structlog"}
DRAWING = {"rich"}
ALL = SERVERS | CALLS | STORE | CONFIGURATION | LOGS | {"pydantic"}


def imported(code: str, never: set[str]) -> list[str]:
    """Return which of these modules a process has imported by what it has done."""
    program = PROGRAM.format(code=code, never=never)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].removeprefix("imported:").split()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_what_needs_no_command_imports_none(arguments: list[str]) -> None:
    assert imported(f"app({arguments})", ALL) == []


@pytest.mark.parametrize(
    ("command", "never"),
    [
        ("init", ALL | DRAWING),
        ("check", SERVERS | CALLS | STORE | LOGS | DRAWING),
        ("schema", SERVERS | CALLS | STORE | LOGS | DRAWING),
        ("events", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("deliveries", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("dead", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("held", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("audit", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("stats", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("sinks", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("subscriptions", SERVERS | CALLS | CONFIGURATION | LOGS | DRAWING),
        ("backup", SERVERS | CALLS | LOGS | DRAWING),
        ("restore", SERVERS | CALLS | LOGS | DRAWING),
        ("web", SERVERS | CALLS | LOGS | DRAWING),
        ("worker", SERVERS | CALLS | LOGS | DRAWING),
        ("up", SERVERS | CALLS | {"redis"}),
        ("doctor", SERVERS),
        ("dev", SERVERS | CALLS | LOGS | DRAWING),
    ],
)
def test_a_command_imports_only_what_it_needs(command: str, never: set[str]) -> None:
    assert imported(f"load_command({command!r})", never) == []


def test_of_the_sinks_only_those_of_the_file_are_imported() -> None:
    code = "from relay.sinks.registry import sink_types; sink_types()['http']"
    never = {"relay.sinks.sms.sink", "relay.sinks.moysklad.sink", "relay.sinks.unisender.sink", "redis", "structlog"}
    assert imported(code, never) == []
