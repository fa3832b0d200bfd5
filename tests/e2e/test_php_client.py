"""An application written in PHP against amoCRM's documentation subscribes to the relay and notices no difference."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.processes.supervisor import Processes
from tests.e2e.harness import run_relay, until

SCRIPT = Path(__file__).parent / "php" / "subscribe.php"
HOOK = "https://app.example.com/hook.php?key=1&x=~"
LOGIN, HASH, TOKEN = "crm@example.com", "crm-secret-hash", "crm-secret-token"
CONFIG = f"""
sources:
  acme: {{type: amocrm, token: test-token, account: {{subdomain: acme, id: 7039099}}}}
api_users:
  - {{login: {LOGIN}, hash: {HASH}, token: {TOKEN}, source: acme}}
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with run_relay(tmp_path_factory.mktemp("php"), CONFIG) as processes:
        yield processes


def ask(relay: Processes, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(relay.url + path, data, headers), timeout=30) as answer:
        return json.loads(answer.read())


def webhooks(relay: Processes) -> list[dict[str, Any]]:
    return ask(relay, "/api/v4/webhooks")["_embedded"]["webhooks"]


@pytest.mark.skipif(shutil.which("php") is None and os.environ.get("CI") != "true", reason="needs php-cli and php-curl")
def test_the_script_logs_in_subscribes_lists_and_unsubscribes(relay: Processes) -> None:
    command = ["php", str(SCRIPT), relay.url, LOGIN, HASH, HOOK]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    answers = {answer["step"]: answer for answer in map(json.loads, ran.stdout.splitlines())}
    assert {answer["code"] for answer in answers.values()} == {200}
    assert answers["login"]["body"]["response"]["auth"] is True
    assert answers["login by query"]["body"]["response"]["auth"] is True
    account, by_v2 = answers["account"]["body"]["response"]["account"], answers["account v2"]["body"]
    assert (account["id"], account["name"], account["subdomain"]) == ("7039099", "acme", "acme")
    assert {key: str(by_v2[key]) for key in account} == account
    done = [{"url": HOOK, "result": True}]
    for step in ("subscribe", "subscribe again", "unsubscribe one", "unsubscribe"):
        assert answers[step]["body"]["_embedded"]["items"] == done, step
        assert answers[step]["type"] == "application/hal+json"
    (listed,) = answers["list"]["body"]["_embedded"]["items"]
    assert (listed["url"], listed["events"], listed["disabled"]) == (HOOK, ["add_lead", "status_lead"], False)
    (by_v1,) = answers["list v1"]["body"]["response"]["webhooks"]
    assert by_v1 == {**listed, "id": str(listed["id"]), "events": ["add_contact", "status_lead"]}
    assert answers["list after"]["body"]["_embedded"]["items"] == []
    assert webhooks(relay) == []


def test_subscriptions_survive_a_kill_of_everything(relay: Processes) -> None:
    made = ask(relay, "/api/v4/webhooks", {"destination": HOOK, "settings": ["add_lead"]})
    relay.kill("store")
    with pytest.raises(urllib.error.HTTPError) as refused:
        webhooks(relay)
    assert (refused.value.code, refused.value.headers["content-type"]) == (503, "application/problem+json")
    assert refused.value.headers["retry-after"]
    refused.value.close()
    for name in ("web", "worker"):
        relay.kill(name)
    relay.start("store", "web", "worker")

    def answered() -> list[dict[str, Any]] | None:
        try:
            return webhooks(relay)
        except OSError:
            return None

    assert until(answered, what="an answer") == [made]
