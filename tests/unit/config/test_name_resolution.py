"""Names of statuses, pipelines and users in conditions, and ids that an account does not have."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from relay.config.account_names import AccountNames
from relay.config.config import Config
from relay.config.load import load, load_file
from relay.config.names_files import parse_names
from relay.config.watcher import ConfigWatcher
from relay.errors import ConfigError
from relay.sinks.registry import sink_types
from tests.polling import poll

ACME = """\
pipelines:
  "2116": {name: Продажи, statuses: {"101": Новый, "102": Переговоры, "142": Успешно реализовано}}
  "3340": {name: Опт, statuses: {"201": Новый, "142": Успешно реализовано}}
users: {"7": Анна Смирнова, "8": Пётр Иванов, "9": Пётр Иванов}
fields:
  lead: {"427183": {name: Город}}
  contact: {"159947": {name: Почта, code: EMAIL}}
  company: {}
"""
BRANCH = 'pipelines: {"5": {name: Продажи, statuses: {"501": Новый}}}'
NAMES = {"acme": parse_names(ACME, "acme.yaml"), "branch": parse_names(BRANCH, "branch.yaml")}
ONE = "sources: {acme: {type: amocrm, token: long-enough}}"
TWO = "sources: {acme: {type: amocrm, token: long-enough}, branch: {type: amocrm, token: long-enough}}"

KNOWN = "known: 101 Новый, 102 Переговоры, 142 Успешно реализовано, 201 Новый"
NEW = "(run `relay names` again if it is new)"

Names = Mapping[str, AccountNames]


def load_text(where: str, on: str = "status_lead", sources: str = ONE, names: Names = NAMES, more: str = "") -> Config:
    text = f"""\
{sources}
sinks: {{sms: {{type: log}}}}
routes:
  - {{name: r, on: {on}, {more}to: sms,
where: {where}}}
"""
    return load(text, file="f", environ={}, sink_types=sink_types(), names=names)


def errors_in(where: str, **more: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(where, **more)
    return [line.split(": ", 1)[1] for line in str(caught.value).splitlines()]


def conditions(config: Config) -> list[tuple[list[str] | None, str]]:
    return [
        (sorted(route.sources) if route.sources else None, str(route.where.root))
        for route in config.routes
        if route.where
    ]


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ("{status: Успешно реализовано}", 'status_id eq "142"'),
        ("{status: успешно реализовано}", 'status_id eq "142"'),
        ("{status: [Переговоры, 142]}", 'status_id in ["102", 142]'),
        ("{status: {ne: Переговоры}}", 'status_id ne "102"'),
        ("{pipeline: Опт, status: Новый}", 'pipeline_id eq "3340" and status_id eq "201"'),
        ("{pipeline_id: 2116, status: {in: [Новый]}}", 'pipeline_id eq 2116 and status_id in ["101"]'),
        ("{pipeline: Опт, not: {status: Новый}}", 'pipeline_id eq "3340" and not status_id eq "201"'),
        ("{any: {status: Переговоры, price: 5}}", '(status_id eq "102" or price eq 5)'),
        (
            "{any: [{pipeline: Опт, status: Новый}, {price: 5}]}",
            '((pipeline_id eq "3340" and status_id eq "201") or price eq 5)',
        ),
        ("{responsible: Анна Смирнова}", 'responsible_user_id eq "7"'),
        ("{status: {changed: true}}", "status_id changed true"),
    ],
)
def test_a_name_becomes_its_id(where: str, condition: str) -> None:
    ((sources, seen),) = conditions(load_text(where))
    assert sources == ["acme"]
    assert _plain(seen) == _plain(condition)


def _plain(text: str) -> list[str]:
    return text.replace("(", " ").replace(")", " ").replace('"', "").replace("all of", "").split()


@pytest.mark.parametrize(
    ("where", "finding"),
    [
        (
            "{status: Успешна реализовано}",
            f"no status 'Успешна реализовано' in acme {NEW}, did you mean Успешно реализовано?",
        ),
        (
            "{status: Новый}",
            "status 'Новый' has several ids in acme: 101 (Продажи), 201 (Опт): "
            "write pipeline: beside it, or the number",
        ),
        ("{responsible: Пётр Иванов}", "responsible 'Пётр Иванов' has several ids in acme: 8, 9: write the number"),
        (
            "{status_id: 143}",
            f"no status 143 in acme {NEW}, {KNOWN}",
        ),
        (
            "{status: 143}",
            f"no status 143 in acme {NEW}, {KNOWN}",
        ),
        ("{pipeline_id: {in: [2116, 3341]}}", f"no pipeline 3341 in acme {NEW}, known: 2116 Продажи, 3340 Опт"),
        (
            "{pipeline_id: 2116, status_id: 201}",
            f"no status 201 in acme {NEW}, known: 101 Новый, 102 Переговоры, 142 Успешно реализовано",
        ),
        (
            "{responsible_user_id: 10}",
            f"no responsible 10 in acme {NEW}, known: 7 Анна Смирнова, 8 Пётр Иванов, 9 Пётр Иванов",
        ),
        ("{status: {gt: Новый}}", "a name can be compared with eq, ne and in only"),
        ("{status: Переговоры, status_id: 102}", "status and status_id mean the same: write one of them"),
        ('{custom: {"Горд": Москва}}', f"no custom field 'Горд' in acme {NEW}, did you mean Город?"),
    ],
)
def test_what_the_account_does_not_have_is_an_error(where: str, finding: str) -> None:
    assert finding in errors_in(where)


@pytest.mark.parametrize(
    ("where", "on"),
    [
        ("{responsible_user_id: 0}", "status_lead"),  # nobody
        ('{custom: {"EMAIL": {exists: true}}}', "add_contact"),
        ('{custom: {"427183": Москва}}', "add_lead"),
        ("{status: 1}", "update_task"),  # a task has a status of its own
        ("{status_id: 77}", "update_customer"),  # and a customer's statuses are others
        ("{responsible: Анна Смирнова}", "add_contact"),
        ("{responsible: Анна Смирнова}", "[add_task, add_lead]"),
        ("{status: Успешно реализовано}", "[status_lead, add_unsorted]"),
    ],
)
def test_what_is_no_name_of_the_account_is_left_alone(where: str, on: str) -> None:
    assert load_text(where, on=on).routes[0].where


@pytest.mark.parametrize(
    ("on", "finding"),
    [
        ("add_contact", "add_contact has no field status"),
        ("[status_lead, add_contact]", "add_contact has no field status_id"),
        ("[status_lead, add_customer]", "add_customer has no field status"),
    ],
)
def test_statuses_of_other_entities_are_reported_as_without_names(on: str, finding: str) -> None:
    assert errors_in("{status: Успешно реализовано}", on=on)[0].split(",")[0] == finding


def test_without_names_the_error_says_how_to_get_them() -> None:
    assert errors_in("{status: Новый}", names={}) == [
        "the names of acme are not known: run `relay names acme`, or write status_id"
    ]
    assert load_text("{status_id: 99}", names={}).routes[0].where


def test_a_route_for_several_sources_has_the_ids_of_each() -> None:
    config = load_text("{pipeline: Продажи, status: Новый}", sources=TWO)
    assert [(route.name, sorted(route.sources or ())) for route in config.routes] == [
        ("r", ["acme"]),
        ("r", ["branch"]),
    ]
    assert [_plain(condition) for _, condition in conditions(config)] == [
        _plain("pipeline_id eq 2116 and status_id eq 101"),
        _plain("pipeline_id eq 5 and status_id eq 501"),
    ]
    (route,) = config.routes_for("branch", frozenset({"status_lead"}))
    assert route.sources == {"branch"}


def test_a_number_is_known_where_one_of_the_sources_has_it() -> None:
    assert len(load_text("{status_id: [101, 501]}", sources=TWO).routes) == 1
    assert errors_in("{status_id: 999}", sources=TWO) == [f"no status 999 in acme, branch {NEW}, {KNOWN}, 501 Новый"]
    assert load_text("{status_id: 999}", sources=TWO, names={"acme": NAMES["acme"]}).routes


def test_the_version_follows_from_the_names_too() -> None:
    def version(names: Names) -> str:
        return load_text("{price: 1}", names=names).version

    assert version(NAMES) == version(dict(reversed(NAMES.items()))) != version({})


def test_a_broken_file_of_names_is_reported_by_its_position() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_names("users: {7: Анна}\npipelins: {}", "names/acme.yaml")
    assert str(caught.value) == "names/acme.yaml:2:1: unknown key pipelins, did you mean pipelines?"


def test_new_names_are_a_new_configuration(tmp_path: Path) -> None:
    """`relay names` while the relay runs: what a route means follows."""
    path = tmp_path / "relay.yaml"
    path.write_text(f"{ONE}\nsinks: {{sms: {{type: log}}}}\nroutes:\n  - {{name: r, on: add_lead, to: sms, "
                    'where: {status_id: 101}}\n')  # fmt: skip
    reload: Callable[[], Config] = lambda: load_file(str(path), environ={}, sink_types=sink_types())  # noqa: E731
    watcher = ConfigWatcher(str(path), reload)
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "acme.yaml").write_text(ACME)
    before = watcher.current.version
    assert poll(watcher) is None
    assert (config := poll(watcher))
    assert config.version != before


CHAINED = """\
  - {name: first, on: add_lead, to: sms, text: x}
  - {name: after, on: delivered, to: sms, text: y, where: {route: first, %s}}
"""


def load_chain(where: str) -> Config:
    text = f"{ONE}\nsinks: {{sms: {{type: log}}}}\nroutes:\n{CHAINED % where}"
    return load(text, file="f", environ={}, sink_types=sink_types(), names=NAMES)


def test_what_a_chain_needs_of_the_account_is_known() -> None:
    """Its route has no source: the accounts are those of the routes that it follows."""
    config = load_chain("any: [{lead: {status_id: 142, custom: {Город: Москва}}}, {lead: {responsible_user_id: 7}}]")
    assert {(use.kind, use.written, use.by) for use in config.uses} == {
        (kind, written, "route after")
        for kind, written in (("status", "142"), ("field", "Город"), ("value", "Москва"), ("user", "7"))
    }


@pytest.mark.parametrize(
    ("where", "finding"),
    [
        ("lead: {status_id: 999}", f"no status 999 in acme {NEW}"),
        ("lead: {custom: {Town: x}}", f"no custom field 'Town' in acme {NEW}"),
    ],
)
def test_a_chain_s_ids_that_the_account_does_not_have_are_reported(where: str, finding: str) -> None:
    with pytest.raises(ConfigError, match="f:5:") as caught:
        load_chain(where)
    assert finding in str(caught.value)


def chain(where: str, sources: str = ONE, followed: str = "") -> Config:
    text = f"""\
{sources}
sinks: {{sms: {{type: log}}}}
routes:
  - {{name: r, on: status_lead, {followed}to: sms}}
  - {{name: after, on: delivered, where: {{route: r, {where}}}, to: sms}}
"""
    return load(text, file="f", environ={}, sink_types=sink_types(), names=NAMES)


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ("lead: {status: Переговоры}", 'lead status_id eq "102"'),
        ("lead: {pipeline: Опт, status: [Новый]}", 'lead pipeline_id eq "3340" and lead status_id in ["201"]'),
        ("any: [{lead: {responsible: {ne: Анна Смирнова}}}]", '(lead responsible_user_id ne "7")'),
        ("not: {lead: {pipeline: Продажи}}", 'not (lead pipeline_id eq "2116")'),
    ],
)
def test_a_chain_knows_the_names_of_the_accounts_that_it_follows(where: str, condition: str) -> None:
    assert str(chain(where).routes[1].where.root) == f'route eq "r" and {condition}'
    assert str(chain(where, TWO, "source: acme, ").routes[1].where.root) == f'route eq "r" and {condition}'


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("lead: {status: Новинка}", "no status 'Новинка' in acme, branch"),
        ("lead: {status: Новый}", "status 'Новый' has several ids in acme, branch"),
        ("lead: {pipeline_id: 9}", "no pipeline 9 in acme, branch"),
    ],
)
def test_what_the_followed_accounts_do_not_have_is_an_error_in_a_chain(where: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        chain(where, TWO)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        ({"status_id": "142", "old_status_id": "1"}, None),
        ({"status_id": "1", "old_status_id": "1"}, 'lead status_id changed true: was "1", is "1"'),
        ({"status_id": "1"}, "lead status_id changed true: the hook carries no old_status_id"),
    ],
)
def test_a_change_in_the_event_that_began_a_chain_is_compared(lead: dict[str, str], said: str | None) -> None:
    (where,) = (route.where for route in chain("lead: {status_id: {changed: true}}").routes[1:])
    failure = where.check({"route": "r", "lead": lead})
    assert (failure and failure.message) == said
