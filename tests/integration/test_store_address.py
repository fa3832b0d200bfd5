"""The store's address as its users write it: against a store that wants a password, and at the start of processes."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from kombu import Connection

from relay.config.broker_address import broker_options
from relay.store.connect import connect

PASSWORD = "a/b#c?d[e]f@g:h %25й"
CONFIG = """
sources: {acme: {type: amocrm, token: long-enough}}
sinks: {console: {type: log}}
routes: [{name: leads, on: add_lead, to: console, text: "{{ lead.id }}"}]
"""


def test_one_address_opens_a_store_with_a_password_for_the_store_s_client_and_for_celery(run, server):
    with redis.Redis.from_url(server.url) as admin:
        admin.acl_setuser("ann", enabled=True, passwords=[f"+{PASSWORD}"], keys="*", channels="*", commands=["+@all"])
    url = f"unix://ann:{quote(PASSWORD, safe='')}@{server.socket}?db=3"

    async def ask() -> tuple[str, str]:
        client = connect(url, answer_seconds=10)
        try:
            return await client.acl_whoami(), (await client.client_info())["db"]
        finally:
            await client.aclose()

    user, database = run(ask())
    assert (user, int(database)) == ("ann", 3)
    address, options = broker_options(url)
    with Connection(address, **options) as broker:
        client = broker.default_channel.client
        assert client.acl_whoami() == "ann"
        assert int(client.client_info()["db"]) == 3


@pytest.mark.parametrize(
    "command", [["check"], ["check", "FILE"], ["web"], ["worker"], ["stats"], ["dev"]], ids=" ".join
)
def test_every_process_refuses_a_wrong_address_at_its_start_in_one_line(command: list[str], tmp_path: Path):
    file = tmp_path / "relay.yaml"
    file.write_text(CONFIG)
    variables = {"RELAY_CONFIG": str(file), "REDIS_URL": "redis://:hush#hush@127.0.0.1:1/0", "PATH": os.environ["PATH"]}
    arguments = [str(file) if part == "FILE" else part for part in command]
    ended = subprocess.run(
        [sys.executable, "-m", "relay", *arguments],
        env={**variables, "PYTHONPATH": os.environ.get("PYTHONPATH", os.getcwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "REDIS_URL: a # in the user or password: write %23\n"
    assert ended.stdout == ""
