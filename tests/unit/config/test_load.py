"""From text to Config: what is in it, what is warned about, and what is never shown."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.amocrm.views import View
from relay.config.config import Config
from relay.config.load import load_file
from relay.errors import ConfigError, SkipDelivery
from relay.model import Account

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

WHOLE = """\
sources:
  acme:
    type: amocrm
    token: ${TOKEN}
    account: {subdomain: acme, id: 7039099}
    ignore_users: [504141, "17"]
    timezone: Europe/Moscow
  beta: {type: amocrm, token: beta-token}
sinks:
  books: {type: post, url: "https://books.example", timeout: 5s, account: {login: acme, password: "${PASSWORD}"}}
  sms: {type: text, rate: 4/s}
tables:
  managers: {102525: "+79161234567"}
templates:
  invoice: {id: "{{ lead.id }}", price: "{{ lead.price | decimal }}"}
routes:
  - name: invoice
    on: [status_lead, add_lead]
    where: {price: {gt: 0}}
    once: "{{ lead.id }}"
    to: books
    path: "/invoices/{{ lead.id }}"
    body: invoice
  - name: tell the manager
    source: acme
    on: [responsible_contact, status_lead]
    to: sms
    phone: "{{ 102525 | lookup('managers') }}"
    text: "{{ event.name }}"
  - name: both names of a handover
    on: [update_contact, responsible_contact]
    to: books
retention: {finished: 2d, count: 1000}
worker: {batch: 10}
ingress: {max_body: 64KiB}
"""
ENVIRON = {"TOKEN": "hush-hush-token", "PASSWORD": "hush-hush-password"}


@pytest.fixture
def config(load_text: Load) -> Config:
    return load_text(WHOLE, **ENVIRON)


def names(config: Config, source: str, *events: str) -> list[str]:
    return [route.name for route in config.routes_for(source, frozenset(events))]


def test_a_source_is_an_account_of_amocrm(config: Config) -> None:
    source = config.sources["acme"]
    assert source.name == "acme"
    assert source.account == Account(id="7039099", subdomain="acme")
    assert source.ignore_users == {"504141", "17"}
    assert source.timezone == "Europe/Moscow"
    assert config.hook_tokens == {"acme": [b"hush-hush-token"], "beta": [b"beta-token"]}


def test_what_is_not_said_has_a_default(config: Config) -> None:
    source = config.sources["beta"]
    assert (source.account, source.ignore_users, source.timezone) == (Account(), frozenset(), "UTC")
    assert (config.retention.dead, config.worker.inbox_lease) == (30 * 86_400_000, 30_000)


def test_settings_are_read_as_numbers(config: Config) -> None:
    assert (config.retention.finished, config.retention.count) == (2 * 86_400_000, 1000)
    assert (config.worker.batch, config.ingress.max_body) == (10, 64 * 1024)
    assert (config.sinks["books"].timeout, config.sinks["sms"].rate) == (5_000, (4, 1_000))


def test_routes_are_found_by_source_and_any_of_an_event_s_names(config: Config) -> None:
    assert names(config, "acme", "status_lead") == ["invoice", "tell the manager"]
    assert names(config, "beta", "status_lead") == ["invoice"]
    assert names(config, "acme", "delete_lead") == []
    assert names(config, "gone", "status_lead") == []
    assert names(config, "gone", "status_lead", "update_lead") == []


def test_a_route_is_found_once_under_two_names(config: Config) -> None:
    assert names(config, "acme", "update_contact", "responsible_contact") == [
        "tell the manager",
        "both names of a handover",
    ]


def test_contents_are_compiled_by_key(config: Config) -> None:
    lead: Mapping[str, Any] = {"lead": View({"id": "7", "price": "1500"})}
    invoice, tell, bare = config.routes
    assert invoice.content.render(lead) == {"path": "/invoices/7", "body": {"id": "7", "price": "1500.00"}}
    assert invoice.once
    assert invoice.once.render(lead) == "7"
    assert tell.content.render({"event": View({"name": "x"})}) == {"phone": "+79161234567", "text": "x"}
    assert bare.content.render({}) == {}


def test_a_table_s_missing_entry_skips_the_delivery(load_routes: Load) -> None:
    config = load_routes("- {name: one, on: add_lead, to: sms, phone: \"{{ lead.id | lookup('managers') }}\", text: x}")
    with pytest.raises(SkipDelivery):
        config.routes[0].content.render({"lead": View({"id": "18"})})


def test_the_version_follows_from_the_text_and_not_from_secrets(load_text: Load, config: Config) -> None:
    assert load_text(WHOLE, TOKEN="another-token", PASSWORD="another").version == config.version
    assert load_text(WHOLE + "# touched\n", **ENVIRON).version != config.version
    assert len(config.version) == 12
    int(config.version, 16)


def test_no_secret_is_in_the_repr(config: Config) -> None:
    assert "hush" not in repr(config)


WARNED = """\
sources:
  acme: {type: amocrm, token: "${TOKEN:-let-me-in}"}
  beta: {type: amocrm, token: short}
sinks:
  books: {type: post, url: "${URL:-https://x}", account: {login: a, password: "${PASSWORD:-secret}"}}
  spare: {type: text}
tables:
  used: {1: a}
  spare: {1: a}
templates:
  used: {a: "{{ 1 | lookup('used') }}"}
  spare: {}
routes:
  - {name: one, on: add_lead, to: books, body: used}
"""


def test_what_is_not_fit_for_production_is_warned_of(load_text: Load) -> None:
    assert [finding.format("f") for finding in load_text(WARNED).findings] == [
        "f:2:24: token is a default that everybody can read: set TOKEN",
        "f:3:24: token is easy to guess: use at least 8 random characters",
        "f:5:69: password is a default that everybody can read: set PASSWORD",
        "f:6:3: no route uses spare: remove it, or use it",
        "f:9:3: no route uses spare: remove it, or use it",
        "f:12:3: no route uses spare: remove it, or use it",
    ]


def test_what_is_fit_for_production_has_no_warning(config: Config) -> None:
    assert config.findings == ()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, "No such file or directory: `relay init` writes one, RELAY_CONFIG names one that is elsewhere"),
        (b"a: 1\nb: \xff", "2:4: byte FF is not UTF-8: save it as UTF-8"),
        ("# Источники".encode("cp1251"), "1:3: the file is saved as Windows-1251: save it as UTF-8"),
        ("a: 1".encode("utf-16"), "1:1: the file is saved as UTF-16: save it as UTF-8"),
        ("a: 1".encode("utf-16-le"), "1:1: the file is saved as UTF-16: save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, written: bytes | None, message: str) -> None:
    path = tmp_path / "relay.yaml"
    if written is not None:
        path.write_bytes(written)
    with pytest.raises(ConfigError) as caught:
        load_file(str(path), environ={}, sink_types={})
    assert str(caught.value).removeprefix(f"{path}:").lstrip() == message


def refused(load: Load, text: str, **environ: str) -> str:
    """Return what a text is refused for, nothing where it is not."""
    try:
        load(text, **ENVIRON, **environ)
    except ConfigError as error:
        return str(error)
    return ""


PLACES = st.sampled_from([line for line in WHOLE.splitlines() if ": " in line])
SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=8, max_size=80)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)  # a busy machine is no failure
@given(line=PLACES, secret=SECRETS)
def test_no_value_of_the_environment_is_ever_shown(load_text: Load, line: str, secret: str) -> None:
    """Whatever stands where: a variable in place of any value, right or wrong."""
    key, _, _ = line.partition(": ")
    text = WHOLE.replace(line, f'{key}: "${{SECRET}}"')
    refusal = refused(load_text, text, SECRET=secret)
    assert secret not in refusal
    assert secret[:8] not in refusal, "nor its beginning: messages cut long values"


def test_a_secret_written_into_the_file_is_not_shown(errors_in: Errors) -> None:
    text = WHOLE.replace("${TOKEN}", "sesame/sesame").replace('"${PASSWORD}"', "[sesame]").replace("on: [", "on: [x, ")
    assert "sesame" not in "\n".join(errors_in(text))


LINES = st.sampled_from([*WHOLE.splitlines(), "", "  - x", "a: [", "<<: *a", "&a b: *a", "  where: {a: {b: 1}}"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.lists(LINES, max_size=40).map("\n".join)))
def test_any_text_is_loaded_or_refused(load_text: Load, text: str) -> None:
    assert all(line.startswith("f:") for line in refused(load_text, text).splitlines())


def test_a_token_that_is_changed_is_a_list_each_of_which_is_checked(load_text: Load) -> None:
    text = """
sources:
  acme: {type: amocrm, token: ["${NEW:-a-default-token}", "short", "the old one"]}
"""
    with pytest.raises(ConfigError, match=r"f:3:\d+: .*1 to 256 of A-Z a-z 0-9"):
        load_text(text)
    found = load_text(text.replace("the old one", "the-old-one"))
    assert found.hook_tokens == {"acme": [b"a-default-token", b"short", b"the-old-one"]}
    said = [finding.message for finding in found.findings]
    assert any("token is a default that everybody can read: set NEW" in message for message in said)
    assert any("token is easy to guess" in message for message in said)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('"hush-hush\\n"', "has a line break at its end, which was pasted with it: write it without"),
        ("|\n        hush-hush", "has a line break at its end, which was pasted with it: write it without"),
        ('"\\r\\nhush-hush"', "has a line break before it, which was pasted with it: write it without"),
        ('"hush\\nhush"', "has a line break in it: write it on one line"),
    ],
)
def test_a_secret_that_the_file_itself_writes_is_one_line(errors_in: Errors, written: str, problem: str) -> None:
    text = f"""\
sources:
  acme: {{type: amocrm, token: long-enough}}
sinks:
  books:
    type: post
    url: https://books.example
    account:
      login: acme
      password: {written}
"""
    (error,) = errors_in(text)
    assert error == f"9:17: password {problem}"
    assert "hush" not in error


def test_a_key_with_its_line_end_is_one_finding_a_use(errors_in: Errors) -> None:
    """What is wrong with the value besides is judged without it."""
    assert errors_in(WHOLE, **ENVIRON | {"TOKEN": "hush-hush-token\n"}) == [
        "4:12: TOKEN has a line break at its end in the environment: set it without"
    ]
