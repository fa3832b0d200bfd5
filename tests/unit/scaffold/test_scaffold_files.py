"""What `relay init` writes is a configuration that is fit for production, once its variables are set."""

from pathlib import Path

import pytest
import yaml

from relay.cases.load import CaseLoader
from relay.cases.run import run_cases
from relay.config.env_file import parse_env_file
from relay.config.load import load
from relay.scaffold.answers import LANGUAGES, SINKS, Answers
from relay.scaffold.files import draw_secrets, hook_variable, make_cases, make_config, make_env, make_unit, variables_of
from relay.sinks.registry import sink_types

PROJECT = Path(__file__).parents[3]
FILLED_IN = {
    "BOOKS_URL": "https://books.example.com/api", "UNISENDER_LIST_ID": "20547",
    "TELEGRAM_TOKEN": "123456:stands-for-the-token", "TELEGRAM_CHAT_ID": "5",
    "SMTP_HOST": "smtp.example.com", "SMTP_SENDER": "relay@example.com", "SMTP_RECIPIENT": "anna@example.com",
}  # fmt: skip
UUID = "5f0f2b1e-0000-4000-8000-000000000001"


def answers(sinks: tuple[str, ...], language: str = "en", account: str = "acme") -> Answers:
    return Answers(account, "https://relay.example.com", sinks, language, Path("/srv/relay"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sinks", [*((sink,) for sink in SINKS), SINKS], ids=",".join)
def test_every_sink_is_fit_for_production_once_its_variables_are_set(sinks: tuple[str, ...], language: str) -> None:
    text = make_config(answers(sinks, language))
    values = {name: FILLED_IN.get(name, UUID) for name in variables_of(text)}
    config = load(text, file="relay.yaml", environ=values, sink_types=sink_types())
    assert config.findings == ()
    assert (set(config.sources), len(config.sinks), len(config.routes)) == (
        {"acme"}, len(sinks), len(sinks) + ("telegram" in sinks),  # where there are alerts, too
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sinks", [*((sink,) for sink in SINKS), SINKS], ids=",".join)
def test_every_route_has_a_case_that_passes_without_any_secret(
    sinks: tuple[str, ...], language: str, tmp_path: Path
) -> None:
    given = answers(sinks, language, "1c-shop")
    config = make_config(given)
    (tmp_path / "relay.yaml").write_text(config)
    file = tmp_path / "cases.yaml"
    file.write_text(make_cases(given, config))
    loader = CaseLoader(str(tmp_path / "relay.yaml"), {}, sink_types())
    report = run_cases(loader.load([file]))
    assert [case.differences for case in report.cases if not case.passed] == []
    assert report.untested == []


@pytest.mark.parametrize("account", ["123", "12345678901", "true", "null", "no", "1e5", "0x1f", "2026-11-29"])
def test_an_account_that_yaml_reads_as_something_else_is_still_its_name(account: str) -> None:
    text = make_config(answers(("log",), account=account))
    config = load(text, file="relay.yaml", environ=dict.fromkeys(variables_of(text), UUID), sink_types=sink_types())
    assert config.findings == ()
    assert [(name, source.account.subdomain) for name, source in config.sources.items()] == [(account, account)]


def test_comments_are_in_the_language_that_was_chosen() -> None:
    configs = [make_config(answers(SINKS, language)) for language in LANGUAGES]
    cases = [make_cases(answers(SINKS, language), config) for language, config in zip(LANGUAGES, configs, strict=True)]
    for english, russian in (configs, cases):
        assert english != russian
        read, other = yaml.safe_load(english), yaml.safe_load(russian)
        assert (read.pop("facts", None), other.pop("facts", None)) in (
            (None, None),
            ({"language": "en"}, {"language": "ru"}),
        )
        assert read == other
        assert not any(mark in english + russian for mark in ("#en", "|ru", "@BOOKS", "@ACCOUNT", "@URL"))


@pytest.mark.parametrize("account", ["acme", "a", "a-shop-with-a-longer-name"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_comments_stand_below_each_other_whatever_the_account_is_called(language: str, account: str) -> None:
    lines = make_config(answers(SINKS, language, account)).splitlines()
    commented = [line.rpartition(" # ")[0] for line in lines if " # " in line.lstrip()]
    assert {len(code) for code in commented if len(code.rstrip()) < 48} == {48}
    assert all(code == code.rstrip() for code in commented if len(code) > 48)  # too long for it: a blank, then it


def test_the_log_alone_needs_nothing_that_is_not_drawn() -> None:
    given = answers(("log",))
    config, drawn = make_config(given), draw_secrets(given)
    assert variables_of(config) == ["ACME_HOOK_TOKEN"] == [hook_variable("acme")]
    found = parse_env_file(make_env(given, config, drawn), ".env")
    assert found["ACME_HOOK_TOKEN"] == drawn["ACME_HOOK_TOKEN"]
    assert len(set(draw_secrets(given).values()) | set(drawn.values())) == 6


def test_the_example_has_every_name_and_no_secret() -> None:
    given = answers(SINKS)
    config = make_config(given)
    example, env = (parse_env_file(make_env(given, config, values), "") for values in ({}, draw_secrets(given)))
    assert example.keys() == env.keys()
    assert {example[name] for name in [*variables_of(config), "RELAY_ADMIN_TOKEN", "RELAY_SECRET_KEY"]} == {""}


def test_an_account_that_begins_with_a_digit_has_a_variable_that_is_a_name() -> None:
    config = make_config(answers(("log",), account="1c-shop"))
    assert variables_of(config) == ["AMO_1C_SHOP_HOOK_TOKEN"]


def test_the_unit_is_the_one_of_deploy() -> None:
    unit = make_unit("relay", "/var/lib/relay", "/opt/relay/bin/relay")
    assert unit == (PROJECT / "deploy" / "systemd" / "relay.service").read_text()
