"""`relay test`: what it prints for people, programs and CI, and how it ends."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from relay.cli import app
from relay.errors import ConfigError

CONFIG = """\
sources: {acme: {type: amocrm, token: a-token}}
sinks: {console: {type: log}}
routes:
  - {name: won, on: status_lead, where: {status_id: 142}, to: console, body: {id: "{{ lead.id }}"}}
  - {name: contacts, on: add_contact, to: console, body: {mail: "{{ contact.email }}"}}
"""
GOOD = "  - {name: a won deal, event: status_lead, lead: {id: 7, status_id: 142}, expect: [{route: won}]}\n"
BAD = """\
  - {name: a contact, event: add_contact, contact: {id: 1, email: anna@example.com},
     expect: [{route: contacts, content: {body: {mail: alla@example.com}}}]}
"""
ENVIRON = {"RELAY_CONFIG": "relay.yaml", "REDIS_URL": "", "COLUMNS": "200"}


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("relay.yaml").write_text(CONFIG)
    Path("cases").mkdir()


def run(*arguments: str, cases: str = GOOD) -> Result:
    Path("cases/a.yaml").write_text(f"cases:\n{cases}")
    return CliRunner().invoke(app, ["test", *arguments], env=ENVIRON)


def test_cases_that_pass_are_listed_with_the_routes_that_have_none() -> None:
    done = run()
    assert (done.exit_code, done.stdout) == (0, """\
cases/a.yaml
  ✓ a won deal
no case expects a delivery by: contacts
1 case(s): 1 passed, 0 failed
""")  # fmt: skip


def test_a_case_that_fails_shows_the_difference_and_where_it_is_written() -> None:
    done = run(cases=GOOD + BAD)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[2:] == [
        "  ✗ a contact (cases/a.yaml:3:5)",
        '      contacts: content.body.mail: expected "a***@example.com", it is "a***@example.com"'
        " (what tells them apart is masked: --reveal shows it)",
        "2 case(s): 1 passed, 1 failed",
    ]
    assert 'expected "alla@example.com", it is "anna@example.com"\n' in run("--reveal", cases=GOOD + BAD).stdout


def test_what_no_case_expects_is_told_of_all_cases_not_of_the_chosen_ones() -> None:
    done = run("--name", "WON", cases=GOOD + BAD)
    assert (done.exit_code, done.stdout) == (0, "cases/a.yaml\n  ✓ a won deal\n1 case(s): 1 passed, 0 failed\n")


def test_programs_read_the_same() -> None:
    done = run("--json", cases=GOOD + BAD)
    report = json.loads(done.stdout)
    assert (done.exit_code, report["passed"], report["failed"], report["untested"]) == (1, 1, 1, [])
    assert [(one["name"], one["line"], len(one["differences"])) for one in report["cases"]] == [
        ("a won deal", 2, 0),
        ("a contact", 3, 1),
    ]
    assert "anna@example.com" not in done.stdout


def test_ci_reads_junit() -> None:
    done = run("--junit", "out/results.xml", cases=GOOD + BAD.replace("a contact", "a \\u0007 contact"))
    assert done.exit_code == 1
    text = Path("out/results.xml").read_text()
    root = ElementTree.fromstring(text)
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    suite = root.find("testsuite")
    assert suite is not None
    assert [(case.get("file"), case.get("line")) for case in suite] == [("cases/a.yaml", "2"), ("cases/a.yaml", "3")]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.startswith("cases/a.yaml:3:5\ncontacts: content.body.mail: expected")
    assert "anna@example.com" not in text


def test_cases_are_chosen_by_file_and_name() -> None:
    Path("other.yaml").write_text(f"cases:\n{BAD}")
    assert run("other.yaml").stdout.splitlines()[-1] == "1 case(s): 0 passed, 1 failed"
    assert run("--name", "WON", cases=GOOD + BAD).stdout.splitlines()[-1] == "1 case(s): 1 passed, 0 failed"


@pytest.mark.parametrize(("arguments", "cases", "message"), [
    (["--name", "lost"], GOOD, "no case has 'lost' in its name"),
    (["none.yaml"], GOOD, "none.yaml: No such file or directory"),
    (["--junit", "relay.yaml/x.xml"], GOOD, "relay.yaml"),
    ([], GOOD.replace("won}", "wom}"), "cases/a.yaml:2:92: unknown route wom, did you mean won?"),
])  # fmt: skip
def test_what_cannot_be_run_says_what_would_be_right(arguments: list[str], cases: str, message: str) -> None:
    done = run(*arguments, cases=cases)
    assert done.exit_code == 1
    assert message in str(done.exception)


def test_a_project_without_cases_says_where_to_find_some() -> None:
    done = CliRunner().invoke(app, ["test"], env=ENVIRON)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "there are no cases in cases: docs/cookbook.md shows some"
