"""Commands that only look at the store import neither the configuration nor what calls others."""

import os
import subprocess
import sys

from tests.integration.small_relay import SmallRelay

# One after another in one process: what any of them imports is there at the end.
PROGRAM = """
import sys
from relay.cli import app

lists = ["events", "deliveries", "dead", "held", "actions", "subscriptions", "sinks", "shards"]
for arguments in [*([group, "list"] for group in lists), ["sinks", "failures"], ["audit"], ["stats", "--over", "0.1"]]:
    try:
        app(arguments)
    except SystemExit as end:
        assert not end.code, arguments
print("imported:", *sorted({never} & sys.modules.keys()))
"""
NEVER = {
    *("pydantic", "jinja2", "yaml", "re2", "tenacity", "rich", "structlog", "celery", "cryptography.fernet"),
    *("aiodns", "phonenumbers", "prometheus_client", "starlette", "relay.config.load", "relay.transport", "yarl"),
    "opentelemetry",
}


def test_they_import_only_what_reads_the_store(relay: SmallRelay) -> None:
    relay.configure("""
        sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
        sinks: {books: {type: log}}
        routes: [{name: all, on: add_lead, to: books}]
    """)
    relay.accept_leads(77)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{never}", repr(NEVER))],
        env=dict(os.environ), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "imported:"
