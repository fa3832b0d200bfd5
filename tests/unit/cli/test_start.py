"""A process imports what it needs and nothing else: to import all that there is takes over a second."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from relay.cli import COMMANDS

CONFIG = """
sources: {demo: {type: amocrm, token: a-long-enough-token}}
sinks: {console: {type: log}, books: {type: http, url: "https://books.example/api", idempotency: honoured}}
routes:
  - {name: shown, on: add_lead, sink: console, path: /shown, body: {id: "{{ lead.id }}"}}
  - {name: won, on: status_lead, where: {lead.status_id: 142}, sink: books, path: /won, body: {id: "{{ lead.id }}"}}
"""
# Each command is imported by a process of its own, which finds only what each needs anyway.
COMMANDS_PROGRAM = """
import json, os, sys
from relay.cli.loading import load_command

for command, never in json.loads(sys.stdin.read()).items():
    if os.fork() == 0:
        load_command(command)
        print(json.dumps([command, sorted(sys.modules.keys() & set(never))]), flush=True)
        os._exit(0)
    _, status = os.wait()
    assert status == 0, command
"""
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
CALLS = {"relay.transport", "relay.accounts.client", "yarl", "httptools"}
NAMES = {"aiodns", "pycares"}
STORE = {"redis", "asyncio"}
CONFIGURATION = {"relay.config.load", "pydantic", "jinja2", "yaml", "re2", "tenacity"}
LOGS = {"structlog"}
DRAWING = {"rich"}
ALL = SERVERS | CALLS | NAMES | STORE | CONFIGURATION | LOGS | {"uuid_utils"}
NEVER = SERVERS | NAMES | LOGS | DRAWING
LOOKS = NEVER | CALLS | CONFIGURATION  # what only reads the store
NEVER_IMPORTED = {
    "demo": SERVERS | NAMES | LOGS,
    "dev": NEVER | CALLS | STORE,
    "init": ALL | DRAWING,
    "up": SERVERS | NAMES | CALLS | {"redis"},
    "web": NEVER | CALLS,
    "worker": NEVER | CALLS,
    "backup": NEVER | CALLS | {"pydantic"},
    "restore": NEVER | CALLS | {"pydantic"},
    "check": NEVER | CALLS | STORE,
    "plan": NEVER | CALLS,
    "test": NEVER | CALLS | STORE,
    "schema": NEVER | CALLS | STORE,
    "explain": NEVER,
    "send": NEVER | {"redis"},
    "top": NEVER | CALLS,
    "stats": LOOKS,
    "connect": NEVER,
    "names": NEVER,
    "catch-up": NEVER,
    "doctor": NEVER | CALLS,
    "system": NEVER | CALLS,
    "problems": NEVER | CALLS,
    "capacity": NEVER | CALLS | STORE,
    "events": LOOKS,
    "replay": NEVER | CALLS,
    "deliveries": LOOKS,
    "dead": LOOKS,
    "held": LOOKS,
    "actions": LOOKS,
    "audit": LOOKS,
    "subscriptions": LOOKS,
    "sources": NEVER | CALLS,
    "shards": LOOKS,
    "sinks": LOOKS,
    "alerts": ALL | DRAWING,
    "people": LOOKS,
}
"""Command -> what its module must not import."""


def imported(code: str, never: set[str], variables: Mapping[str, str] | None = None) -> list[str]:
    """Return which of these modules a process has imported by what it has done."""
    program = PROGRAM.format(code=code, never=never)
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].removeprefix("imported:").split()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_what_needs_no_command_imports_none(arguments: list[str]) -> None:
    assert imported(f"app({arguments})", ALL) == []


def test_a_command_imports_only_what_it_needs() -> None:
    assert NEVER_IMPORTED.keys() == COMMANDS.keys()
    never = json.dumps({command: list(modules) for command, modules in NEVER_IMPORTED.items()})
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS_PROGRAM], input=never, capture_output=True, text=True, check=True
    )
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert found == {command: [] for command in COMMANDS}


@pytest.mark.parametrize("module", ["relay.web.server", "workers.app"])
def test_web_and_workers_import_nothing_for_what_their_libraries_could_do_besides(module: str) -> None:
    code = f"import {module} as module; getattr(module, '_import_application', lambda: None)()"
    variables = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1"}
    assert imported(code, DRAWING | {"opentelemetry", "attr", "dns"}, variables) == []


def test_checking_a_configuration_needs_neither_a_store_nor_a_log(tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text(CONFIG)
    code = f"app(['check', {str(tmp_path / 'relay.yaml')!r}])"
    assert imported(code, NEVER | {"redis"}) == []


def test_lines_for_a_pipe_are_written_without_what_draws_tables() -> None:
    code = "from relay.cli.display.output import print_table; print_table(['id', 'state'], [['d1', 'held']])"
    assert imported(code, NEVER) == []


def test_of_the_sinks_only_those_of_the_file_are_imported(tmp_path: Path) -> None:
    """Also where a log has the content of another: of the file's first."""
    (tmp_path / "relay.yaml").write_text(CONFIG)
    others = {f"relay.sinks.{name}.sink" for name in ("apprise", "email", "moysklad", "sms", "telegram", "unisender")}
    assert imported(f"app(['check', {str(tmp_path / 'relay.yaml')!r}])", others) == []
