"""`relay subscriptions` shows and changes the same records as the API."""

import json

import pytest
from typer.testing import CliRunner

from relay.cli.subscriptions import app
from relay.errors import RelayError
from relay.store.connect import connect
from relay.store.subscriptions import Subscriptions

APP = "https://app.example.com/hook"


@pytest.fixture
def relay(api, server, monkeypatch):
    """Run a command; return what it printed, or raise its error."""
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", "api")
    monkeypatch.setenv("RELAY_CONFIG", str(api.log.with_name("relay.yaml")))

    def relay(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments)
        if result.exception:
            raise result.exception
        return result.stdout

    return relay


def test_what_an_application_subscribed_is_listed(relay, api):
    api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_lead"]})
    (shown,) = json.loads(relay("list", "--json"))
    assert (shown["url"], shown["source"], shown["events"]) == (APP, "acme", ["add_lead"])
    assert (shown["id"], shown["disabled"]) == (api.records()[0]["id"], False)
    table = relay("list")
    assert APP in table
    assert "crm@example.com" not in table
    assert "crm@example.com" in relay("list", "--reveal")
    assert json.loads(relay("list", "--json", "--source", "branch")) == []


def test_what_an_operator_adds_applications_see(relay, api):
    relay("add", APP, "--event", "add_lead", "--event", "add_task", "--source", "acme", "--name", "Склад")
    (record,) = api.records()
    assert (record["destination"], record["settings"]) == (APP, ["add_lead", "add_task"])
    assert record["created_by"] == 0
    left = json.loads(relay("remove", str(record["id"]), "--event", "add_task", "--json"))
    assert (left["name"], left["events"]) == ("Склад", ["add_lead"])
    relay("remove", str(record["id"]))
    assert api.records() == []


def test_a_disabled_subscription_is_shown_as_such_and_enabled_again(relay, api, run, server):
    id = api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_lead"]}).json()["id"]

    async def disable() -> None:
        subscriptions = Subscriptions(connect(server.url, answer_seconds=10), "api")
        await subscriptions.disable(id, "it answered 410")
        await subscriptions.client.aclose()

    run(disable())
    assert api.records()[0]["disabled"]
    assert "disabled: it answered 410" in relay("list")
    assert json.loads(relay("enable", str(id), "--json"))["disabled"] is False
    assert not api.records()[0]["disabled"]


@pytest.mark.parametrize("path", ["/api/v4/account", "/api/v2/account", "/private/api/v2/json/accounts/current"])
def test_a_token_in_the_form_of_a_jwt_is_a_way_in(relay, api, path):
    token = relay("token", "crm@example.com").strip()
    answer = api.unknown()("GET", path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.text.replace("7039099", "") != answer.text


def test_subscriptions_made_with_a_jwt_are_its_user_s(relay, api):
    by_jwt = {"Authorization": f"Bearer {relay('token', 'shop@example.com', '--expires-in', '1d').strip()}"}
    made = api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_lead"]}, headers=by_jwt)
    assert made.status_code == 201
    assert made.json()["created_by"] == api.by("shop")("GET", "/api/v4/account").json()["current_user_id"]


@pytest.mark.parametrize("lifetime", ["23h", "1827d", "soon", "7"])
def test_a_token_that_ends_too_soon_or_too_late_is_none(relay, lifetime):
    with pytest.raises(SystemExit) as ended:
        relay("token", "crm@example.com", "--expires-in", lifetime)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "ftp://app.example", "--event", "add_lead", "--source", "acme"], "url: it must begin with http://"),
        (["add", APP, "--event", "add_laed", "--source", "acme"], "unknown event add_laed, did you mean add_lead?"),
        (["add", APP, "--event", "add_lead"], "--source: there are several"),
        (["add", APP, "--event", "add_lead", "--source", "acmee"], "unknown source acmee, did you mean acme?"),
        (["remove", "999"], "no subscription 999"),
        (["remove", "999", "--event", "sing"], "unknown event sing"),
        (["enable", "999"], "no subscription 999"),
        (["token", "crn@example.com"], "api_users: no login crn@example.com, did you mean crm@example.com?"),
    ],
)
def test_mistakes(relay, api, arguments, message):
    with pytest.raises(RelayError, match=message.replace("?", r"\?")):
        relay(*arguments)
    assert api.records() == []
