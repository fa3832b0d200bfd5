"""Many accounts without copying: `include`, `<<`, keys that begin with x-, and a route for several sources."""

from collections.abc import Callable
from pathlib import Path

import pytest

from relay.config.config import Config
from relay.config.load import load_file, load_sources
from relay.config.watcher import ConfigWatcher
from relay.errors import ConfigError
from relay.sinks.registry import sink_types
from tests.polling import poll

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

MAIN = """\
x-account: &account {type: amocrm, timezone: Europe/Moscow, ignore_users: [504141]}
include: [accounts/*.yaml]
sinks:
  console: {type: log}
routes:
  - {name: from all, on: add_lead, to: console, body: {id: "{{ lead.id }}"}}
"""


class Folder:
    """A folder with a configuration in several files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = folder / "relay.yaml"
        self.main.write_text(MAIN)
        (folder / "accounts").mkdir()

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text)

    def load(self) -> Config:
        return load_file(str(self.main), environ={}, sink_types=sink_types())

    def errors(self) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load()
        return [line.removeprefix(f"{self.folder}/") for line in str(caught.value).splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def account(name: str, more: str = "") -> str:
    return f"sources:\n  {name}: {{<<: *account, token: {name}-token{more}}}\n"


def test_thirty_accounts_are_thirty_files_of_two_lines(folder: Folder) -> None:
    names = [f"shop-{number:02}" for number in range(30)]
    for name in names:
        folder.write(f"accounts/{name}.yaml", account(name))
    config = folder.load()
    assert sorted(config.sources) == names
    assert {source.timezone for source in config.sources.values()} == {"Europe/Moscow"}
    assert all([route.name for route in config.routes_of(name)] == ["from all"] for name in names)
    assert config.findings == ()


def test_sections_of_included_files_go_on_from_those_of_the_main_file(folder: Folder) -> None:
    folder.write("accounts/a.yaml", account("a") + "sinks: {second: {type: log}}\ntables: {t: {1: x}}\n")
    folder.write("accounts/b.yaml", account("b") + "routes:\n  - {name: own, source: b, on: add_task, to: second}\n")
    config = folder.load()
    assert [*config.sinks] == ["console", "second"]
    assert [route.name for route in config.routes] == ["from all", "own"]
    assert config.tables == {"t": {"1": "x"}}


def test_a_file_is_read_once_and_the_main_file_never_however_they_are_spelt(folder: Folder) -> None:
    (folder.folder / "link.yaml").symlink_to(folder.main)
    (folder.folder / "again").symlink_to(folder.folder / "accounts")
    patterns = "accounts/*.yaml, ./accounts/*.yaml, again/*.yaml, accounts/../*.yaml, x.yaml"
    folder.main.write_text(MAIN.replace("accounts/*.yaml", patterns))
    folder.write("accounts/a.yaml", account("a"))
    folder.write("x.yaml", account("x"))
    assert sorted(folder.load().sources) == ["a", "x"]


@pytest.mark.parametrize("pattern", ["**", "accounts/**", "**/"])
def test_a_pattern_of_all_files_there_are_is_refused(folder: Folder, pattern: str) -> None:
    folder.main.write_text(MAIN.replace("[accounts/*.yaml]", f'"{pattern}"'))
    folder.write("accounts/a.yaml", account("a"))
    right = f"{pattern.rstrip('/')}/*.yaml"
    message = f"include: {pattern} matches every file, whatever it is: write {right}"
    assert f"relay.yaml:2:10: {message}" in folder.errors()


def test_a_secret_that_begins_with_an_ampersand_is_no_anchor_in_an_included_file_either(folder: Folder) -> None:
    folder.main.write_text(MAIN.replace("x-account:", "x-zone: &zone Europe/Minsk\nx-account:"))
    folder.write("accounts/a.yaml", "x-name: &s3cret a-token\nsources:\n  a: {<<: *account, token: *s3cret}\n")
    folder.write("accounts/b.yaml", "sources:\n  b: {<<: *account, timezone: *zone, token: &s3cret }\n")
    errors = folder.errors()
    unused = "a text that starts with & is read as an anchor, and nothing refers to it: quote it"
    assert [error for error in errors if "anchor" in error] == [f"accounts/b.yaml:2:45: {unused}"]


def test_what_is_written_in_the_file_wins_over_what_is_merged(load_text: Load) -> None:
    config = load_text("""\
x-one: &one {type: amocrm, timezone: Asia/Almaty, token: of-the-first-one}
x-two: &two {timezone: Europe/Minsk, ignore_users: [7]}
sources:
  acme: {token: of-its-own, <<: [*one, *two]}
""")
    source = config.sources["acme"]
    assert source.tokens[0].get_secret_value() == "of-its-own"
    assert source.timezone == "Asia/Almaty", "the first of several"
    assert source.ignore_users == {"7"}


@pytest.mark.parametrize(
    ("file", "findings"),
    [
        ("sources:\n  a: {<<: *account, token: a-token, timezone: Europe/Moskow}\n",
         ["accounts/a.yaml:2:47: timezone: 'Europe/Moskow' is not a time zone, did you mean Europe/Moscow?"]),
        ("sources: [", ["accounts/a.yaml:1:11: a value is missing here: is a bracket not closed, or a key without its "
                        "value?"]),
        (account("a") + "sinks:\n  console: {type: log}\n",
         ["accounts/a.yaml:4:3: console is here twice, first at {folder}/relay.yaml:4:3: keep one"]),
        (account("a") + "worker: {batch: many}\n", ["accounts/a.yaml:3:17: batch: must be a whole number"]),
        (account("a") + "include: more.yaml\n",
         ["accounts/a.yaml:3:1: only the main file has include: write it there"]),
        (account("a") + "routes:\n  - {name: from all, on: add_lead, to: console}\n",
         ["accounts/a.yaml:4:12: the name from all is here twice, first at 6:12: give each its own"]),
        (account("a") + "routes:\n  - {name: own, source: [a, c], on: add_lead, to: console}\n",
         ["accounts/a.yaml:4:29: unknown source c, known: a"]),
        (account("a") + "rules: []\n", ["accounts/a.yaml:3:1: unknown key rules, write routes"]),
        (account("a") + "routes: {}\n",
         ["accounts/a.yaml:3:1: routes is here twice, first at {folder}/relay.yaml:5:1: keep one"]),
        ("- a\n", ["relay.yaml:1:1: sources is missing: name at least one, with its type and token",
                   "accounts/a.yaml:1:1: an included file must be a mapping, with sources, routes and so on"]),
        ("sources:\n  a: {<<: account, token: a-token}\n",
         ["accounts/a.yaml:2:3: type is missing",
          "accounts/a.yaml:2:11: << merges mappings: write <<: *name, and &name where the mapping is written"]),
        ("sources:\n  a: {<<: *acount, token: a-token}\n",
         ["accounts/a.yaml:2:11: a text that starts with * is read as a reference, and there is no such anchor: "
          "quote it"]),
        ("sources:\n  a: {<<: *account, token: ${A_TOKEN}}\n",
         ["accounts/a.yaml:2:28: ${ … } without quotes: quote the whole text"]),
        ('sources:\n  a: {<<: *account, token: "${A_TOKEN}"}\n',
         ["accounts/a.yaml:2:28: A_TOKEN is not set, or empty: "
          "set it in .env or the environment, or write ${A_TOKEN:-a default}"]),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_in_the_file_that_has_it(folder: Folder, file: str, findings: list[str]) -> None:
    folder.write("accounts/a.yaml", file)
    assert folder.errors() == [finding.replace("{folder}", str(folder.folder)) for finding in findings]


def test_a_mistake_in_what_is_merged_is_reported_once_where_it_is_written(folder: Folder) -> None:
    folder.main.write_text(MAIN.replace("Europe/Moscow", "Europe/Moskow"))
    for name in ("a", "b"):
        folder.write(f"accounts/{name}.yaml", account(name))
    assert folder.errors() == [
        "relay.yaml:1:46: timezone: 'Europe/Moskow' is not a time zone, did you mean Europe/Moscow?"
    ]


@pytest.mark.parametrize(
    ("include", "finding"),
    [
        ("acounts/*.yaml", "relay.yaml:2:10: include: no file matches acounts/*.yaml in {folder}"),
        ("accounts", "relay.yaml:2:10: include: accounts is a folder: write accounts/*.yaml"),
        ("[accounts/a.yaml, 7]", "relay.yaml:2:10: include: write a file or a pattern, or a list of them, such as "
                                 "[accounts/*.yaml]"),
        ("", "relay.yaml:2:9: include: write a file or a pattern, or a list of them, such as [accounts/*.yaml]"),
    ],
)  # fmt: skip
def test_what_is_included_must_be_there(folder: Folder, include: str, finding: str) -> None:
    folder.write("accounts/a.yaml", account("a"))
    folder.main.write_text(MAIN.replace("[accounts/*.yaml]", include).replace("include: \n", "include:\n"))
    assert finding.replace("{folder}", str(folder.folder)) in folder.errors()


def test_the_sources_alone_can_be_read_from_all_files(folder: Folder) -> None:
    """`relay names` needs them before the routes are right."""
    folder.write(
        "accounts/a.yaml", account("a") + "routes: [{name: x, on: status_lead, where: {status: Won}, to: console}]\n"
    )
    assert [*load_sources(str(folder.main), environ={})] == ["a"]


def test_included_files_are_followed_as_the_main_file_is(folder: Folder) -> None:
    folder.write("accounts/a.yaml", account("a"))
    watcher = ConfigWatcher(str(folder.main), folder.load)
    before = watcher.current.version
    for write, sources in (
        (lambda: folder.write("accounts/b.yaml", account("b")), ["a", "b"]),
        (lambda: folder.write("accounts/a.yaml", account("c")), ["b", "c"]),
        (lambda: (folder.folder / "accounts/b.yaml").unlink(), ["c"]),
    ):
        write()
        assert poll(watcher) is None
        config = poll(watcher)
        assert config is not None
        assert sorted(config.sources) == sources
    assert watcher.current.version != before


def test_a_mistake_that_is_mended_in_a_newly_included_file_is_noticed(folder: Folder) -> None:
    folder.write("accounts/a.yaml", account("a"))
    watcher = ConfigWatcher(str(folder.main), folder.load)
    folder.write("more.yaml", "sources: {b: 5}")
    folder.main.write_text(MAIN.replace("[accounts/*.yaml]", "[accounts/*.yaml, more.yaml]"))
    assert [poll(watcher), poll(watcher)] == [None, None]
    assert watcher.error is not None
    assert watcher.error.startswith(f"{folder.folder}/more.yaml:1:14: b: must be a mapping, such as")
    folder.write("more.yaml", account("b"))
    assert poll(watcher) is None
    assert (config := poll(watcher))
    assert sorted(config.sources) == ["a", "b"]


def test_a_key_of_one_s_own_is_no_mistake_where_nothing_refers_to_it(load_text: Load) -> None:
    text = 'x-note: {anything: "${NOT_SET}"}\nx-b: &b {a: 1}\nsources: {acme: {type: amocrm, token: long-enough}}\n'
    assert [*load_text(text).sources] == ["acme"]


def test_a_mapping_that_merges_itself_is_stopped(errors_in: Errors) -> None:
    assert errors_in("sources: &a {<<: *a}") == ["1:10: an anchor that contains itself"]


def test_merges_that_multiply_are_stopped(errors_in: Errors) -> None:
    lines = ["x-a: &a {x: 1}"]
    lines += [
        f"x-{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 10)}]}}" for old, new in zip("abcdef", "bcdefg", strict=True)
    ]
    (finding,) = errors_in("\n".join(lines))
    assert finding.endswith("more than 50000 values are merged")


def test_a_route_may_be_for_several_sources(load_text: Load) -> None:
    config = load_text("""\
sources:
  a: {type: amocrm, token: long-enough}
  b: {type: amocrm, token: long-enough}
  c: {type: amocrm, token: long-enough}
sinks: {sms: {type: text}}
routes:
  - {name: two, source: [a, b], on: add_lead, to: sms, phone: "{{ lead.id }}", text: x}
""")
    assert [[route.name for route in config.routes_of(source)] for source in "abc"] == [["two"], ["two"], []]
