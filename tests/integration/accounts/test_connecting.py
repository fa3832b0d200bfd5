"""`relay connect` and `relay names` against an account, as a person runs them."""

import json

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.config.load import load_file
from relay.errors import ConfigError, RelayError
from relay.sandbox.amocrm.access import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH, LONG_LIVED, REDIRECT_URI
from relay.sinks.registry import sink_types

RELAY = "https://relay.example"
OAUTH = (
    f"oauth: {{client_id: {CLIENT_ID}, client_secret: {CLIENT_SECRET}, redirect_uri: '{REDIRECT_URI}', "
    f"refresh_token: {FIRST_REFRESH}}}"
)
HOOK = f"{RELAY}/hooks/acme/long-enough"


@pytest.fixture
def written(tmp_path, monkeypatch, server, namespace, served):
    """Write a configuration whose routes are on these events, for the commands to find."""
    served.amocrm.limits.rate = 1000
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)
    monkeypatch.setenv("RELAY_SECRET_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("RELAY_CONFIG", str(tmp_path / "relay.yaml"))

    def write(*events: str, where: str = "", way_in: str = f"token: {LONG_LIVED}") -> str:
        path = tmp_path / "relay.yaml"
        routes = "".join(f"  - {{name: r{at}, on: {on}, to: log{where}}}\n" for at, on in enumerate(events))
        path.write_text(
            f"sources:\n  acme: {{type: amocrm, token: long-enough, api: {{url: '{served.url}', {way_in}}}}}\n"
            f"sinks: {{log: {{type: log}}}}\nroutes:\n{routes}"
        )
        return str(path)

    return write


@pytest.fixture
def relay():
    """Run a command of the relay and return what it printed. Raises its error."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, RelayError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def connect(relay):
    return lambda *options: relay("connect", "acme", "--url", RELAY, *options).splitlines()


def test_oauth_without_a_key_is_refused_plainly(written, connect, monkeypatch):
    written("add_lead", way_in=OAUTH)
    monkeypatch.delenv("RELAY_SECRET_KEY")
    with pytest.raises(ConfigError, match="RELAY_SECRET_KEY is not set: the tokens of acme are kept in the store"):
        connect()


def settings_of(served) -> list[str]:
    return served.amocrm.account.hooks[HOOK].settings


def test_the_first_time_it_registers_what_the_routes_use(written, connect, served):
    written("[status_lead, add_lead]", "add_lead")
    assert connect() == [
        f"{RELAY}/hooks/acme/*** in the account of acme",
        "  + add_lead",
        "  + status_lead",
        "registered: 2 event(s)",
    ]
    assert settings_of(served) == ["add_lead", "status_lead"]


def test_again_changes_nothing(written, connect, served):
    written("add_lead")
    connect()
    asked = served.amocrm.api.request_counts["POST /api/v4/webhooks"]
    assert connect()[1:] == ["nothing changes: 1 event(s)"]
    assert served.amocrm.api.request_counts["POST /api/v4/webhooks"] == asked == 1


def test_a_route_more_or_less_is_an_event_more_or_less(written, connect, served):
    written("add_lead", "add_task")
    connect()
    written("add_lead", "note_lead")
    assert connect()[1:] == ["  + note_lead", "  - add_task", "updated: 2 event(s)"]
    assert settings_of(served) == ["add_lead", "note_lead"]


def test_what_applications_subscribe_to_is_registered_too(run, store, written, connect, served):
    written("add_lead")
    subscriptions = store.subscriptions
    run(subscriptions.subscribe("acme", "https://app.example/hook", ["add_lead", "note_lead"], by=""))
    given_up = run(subscriptions.subscribe("acme", "https://gone.example/hook", ["add_task"], by=""))
    run(subscriptions.disable(given_up.id, "410"))
    run(subscriptions.subscribe("branch", "https://other.example/hook", ["add_company"], by=""))
    assert connect()[1:] == ["  + add_lead", "  + note_lead", "registered: 2 event(s)"]
    assert settings_of(served) == ["add_lead", "note_lead"]


def test_a_dry_run_changes_nothing_and_says_what_would(written, connect, served):
    written("add_lead")
    assert connect("--dry-run")[1:] == ["  + add_lead", "would be registered: 1 event(s)"]
    assert not served.amocrm.account.hooks


def test_a_disabled_hook_is_shown_and_enabled_on_request(written, connect, served):
    written("add_lead")
    connect()
    served.amocrm.account.hooks[HOOK].disabled = True
    disabled = "amoCRM has DISABLED this hook after too many failures, and sends nothing: enable it with `--enable`"
    assert connect()[1:] == ["nothing changes: 1 event(s)", disabled]
    assert connect("--enable", "--dry-run")[-1] == "it was disabled: it would be enabled"
    assert served.amocrm.account.hooks[HOOK].disabled
    assert connect("--enable")[-1] == "it was disabled, and is enabled again"
    assert not served.amocrm.account.hooks[HOOK].disabled
    assert settings_of(served) == ["add_lead"]
    assert connect("--enable")[1:] == ["nothing changes: 1 event(s)"]


def test_what_it_cannot_do_it_says(written, connect, served):
    """An event without a subscription, and an address with an older token."""
    written("[add_lead, call_in_lead]")
    served.amocrm.account.subscribe(f"{RELAY}/hooks/acme/older-token", ["add_lead"])
    assert connect()[-3:] == [
        "registered: 1 event(s)",
        "amoCRM has no subscription to call_in_lead: set these up in the account by hand",
        f"another hook leads to this source: {RELAY}/hooks/acme/***: remove it in the account",
    ]


def test_as_json_for_programs(written, connect):
    """Also when tokens are renewed on the way: that is logged, and not printed."""
    written("add_lead", way_in=OAUTH)
    registration = json.loads("\n".join(connect("--json")))
    assert registration["url"] == f"{RELAY}/hooks/acme/***"
    assert (registration["events"], registration["disabled"]) == (["add_lead"], False)
    assert registration["change"]["new"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("connect", "acne", "--url", RELAY), "unknown source acne, did you mean acme?"),
        (("connect", "acme", "--url", "relay.example"), "url: write the relay's address in full"),
        (("names", "acne"), "unknown source acne, did you mean acme?"),
    ],
)
def test_mistakes(written, relay, arguments, message):
    written("add_lead")
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        relay(*arguments)


def test_without_a_route_or_a_subscription_there_is_nothing_to_register(written, connect):
    path = written()
    with open(path, "a") as file:
        file.write("  []\n")
    with pytest.raises(ConfigError, match="no route is for acme"):
        connect()


def test_names_are_written_and_check_knows_them(written, relay):
    """A condition may be written in names before anybody has fetched them: then `relay names` is what helps."""
    path = written("status_lead", where=", where: {status: Успешно реализовано}")
    with pytest.raises(ConfigError, match="the names of acme are not known: run `relay names acme`"):
        relay("check")
    assert "names/acme.yaml: 2 pipeline(s), 3 user(s), 7 custom field(s)" in relay("names", "acme").replace("\n", "")
    assert "is valid" in relay("check").replace("\n", "")
    (route,) = load_file(path, environ={}, sink_types=sink_types()).routes
    assert "142" in str(route.where.root)
    assert "nothing has changed" in relay("names", "acme").replace("\n", " ")


def test_what_the_account_does_not_have_check_refuses(written, relay):
    written("status_lead", where=", where: {status: Успешно релизовано}")
    relay("names", "acme")
    with pytest.raises(
        ConfigError, match=r"no status 'Успешно релизовано' in acme .*, did you mean Успешно реализовано\?"
    ):
        relay("check")
