"""app.json and render.yaml: every variable is described, known, and none forgotten."""

import json
from typing import Any

import yaml

from tests.deploy.programs import PROJECT
from tests.deploy.variables import OWN, SECRETS

APP: dict[str, Any] = json.loads((PROJECT / "app.json").read_text())
SERVICES = {one["name"]: one for one in yaml.safe_load((PROJECT / "render.yaml").read_text())["services"]}
# The platform does, or its network has none; or `relay up` or `relay dev`, which are for a machine of one's own.
NOT_SET_BY_PEOPLE = {
    *("REDIS_URL", "PORT", "RELAY_HOST", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("RELAY_SANDBOX_PORT", "RELAY_SANDBOX_SMTP_PORT", "RELAY_WORKERS", "RELAY_TAKE_OVER", "RELAY_READY_FD"),
    "RELAY_SHARD",  # of a single command
}


def procfile() -> set[str]:
    return {line.partition(":")[0] for line in (PROJECT / "Procfile").read_text().splitlines()}


def test_app_json_describes_every_variable() -> None:
    assert APP["env"].keys() == (OWN | SECRETS) - NOT_SET_BY_PEOPLE
    assert all(len(one["description"]) > 20 for one in APP["env"].values())


def test_app_json_is_short_enough_for_heroku() -> None:
    assert len(APP["name"]) <= 30
    assert len(APP["description"]) <= 140


def test_app_json_gives_secrets_no_value_that_everybody_can_read() -> None:
    for name in SECRETS | {"RELAY_ADMIN_TOKEN", "RELAY_SECRET_KEY"}:
        assert "value" not in APP["env"][name], name


def test_app_json_runs_what_the_procfile_has_on_a_store_that_keeps() -> None:
    review = APP["environments"]["review"]
    assert APP["formation"].keys() == review["formation"].keys() == procfile() - {"release"}
    (store,) = APP["addons"]
    assert store["plan"].startswith("heroku-redis:premium")
    assert review["env"].keys() >= SECRETS  # a review app starts without a person


def test_dokku_gets_no_formation_and_asks_whether_web_can_take_hooks() -> None:
    dokku = json.loads((PROJECT / "deploy" / "dokku" / "app.json").read_text())
    assert "formation" not in dokku  # it would refuse `ps:scale` from then on
    assert [check["path"] for check in dokku["healthchecks"]["web"]] == ["/readyz"]


def test_render_gives_workers_what_web_has() -> None:
    web, worker = ({one["key"]: one for one in SERVICES[name]["envVars"]} for name in ("relay-web", "relay-worker"))
    assert SECRETS | {"REDIS_URL"} <= worker.keys() <= web.keys() <= OWN | SECRETS
    for name in SECRETS | {"RELAY_SECRET_KEY"}:
        assert worker[name]["fromService"] == {"type": "web", "name": "relay-web", "envVarKey": name}
        assert web[name].get("generateValue") or web[name].get("sync") is False


def test_the_store_on_render_forgets_nothing_by_itself() -> None:
    store = SERVICES["relay-store"]
    assert (store["type"], store["maxmemoryPolicy"], store["ipAllowList"]) == ("keyvalue", "noeviction", [])
    assert store["plan"] != "free"
