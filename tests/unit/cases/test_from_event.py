"""A stored event becomes a case that passes, in which nobody can be recognised."""

from pathlib import Path
from urllib.parse import quote

import pytest

from relay.amocrm.events import decode_receipt
from relay.cases.from_event import cases_of_receipt, format_event_cases
from relay.cases.load import CaseLoader
from relay.cases.run import run_case
from relay.cases.stand_ins import StandIns, without_people
from relay.config.config import Config
from relay.config.load import load_file
from relay.errors import RelayError
from relay.model import Receipt
from relay.sinks.registry import sink_types
from tests.unit.cases.conftest import VARIABLES

FIXTURES = Path("tests/fixtures/amocrm").resolve()
HOOKS = sorted([*FIXTURES.glob("*.form"), *FIXTURES.glob("*.json")])
MARKERS = ["Zaharova", "Marfa", "marfa.zaharova@mail.example", "9167654321", "+7 916 765-43-21", "Secret wish"]


@pytest.fixture
def config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(folder)
    return load_file("relay.yaml", environ=VARIABLES, sink_types=sink_types())


def receipt(body: bytes) -> Receipt:
    return Receipt(id="0199d0a0-0000-7000-8000-000000000001", source="acme", received_at=1_763_049_630_123, body=body)


def written(hook: Receipt, config: Config, index: str | None = None) -> str:
    return format_event_cases(cases_of_receipt(hook, config, index))


def run(text: str) -> list[str]:
    Path("made.yaml").write_text(text)
    results = [run_case(case) for case in CaseLoader("relay.yaml", VARIABLES, sink_types()).load([Path("made.yaml")])]
    assert results
    return [one.message for result in results for one in result.differences]


@pytest.mark.parametrize("file", HOOKS, ids=lambda file: file.name)
def test_every_hook_that_amocrm_sends_becomes_a_case_that_passes(config: Config, file: Path) -> None:
    hook = receipt(file.read_bytes())
    events = decode_receipt(hook)[1]
    text = written(hook, config)
    assert text.count("\n- name: ") == len(events)
    assert run(text) == []
    assert [event.name in text for event in events] == [True] * len(events)


def contact() -> bytes:
    fields = {
        "id": "7", "name": "Marfa Zaharova", "first_name": "Marfa", "modified_user_id": "102525",
        "custom_fields][0][code": "EMAIL", "custom_fields][0][values][0][value": "marfa.zaharova@mail.example",
        "custom_fields][1][code": "PHONE", "custom_fields][1][values][0][value": "+7 916 765-43-21",
        "custom_fields][2][name": "Wish", "custom_fields][2][values][0][value": "Secret wish of Marfa",
        "custom_fields][3][name": "City", "custom_fields][3][values][0][value": "Omsk",
        "custom_fields][3][values][0][enum": "12", "phone_number": "9167654321",
    }  # fmt: skip
    return "&".join(f"contacts[add][0][{key}]={quote(value)}" for key, value in fields.items()).encode()


def test_nobody_is_in_the_case(config: Config) -> None:
    text = written(receipt(contact()), config)
    assert [marker for marker in MARKERS if marker.casefold() in text.casefold()] == []
    assert "Omsk" in text  # chosen from a list of the account's: it names nobody
    assert run(text) == []


@pytest.mark.parametrize("said", ["79167654321", "marfa"])
def test_nobody_is_in_what_a_person_wrote_either(config: Config, said: str) -> None:
    text = written(receipt(f"message[add][0][id]=9&message[add][0][text]={said}".encode()), config)
    assert said not in text
    assert run(text) == []


def test_the_same_person_has_the_same_stand_in_in_every_spelling() -> None:
    stand_ins = StandIns()
    stand_ins.learn("Marfa Zaharova")
    texts = [
        "Marfa +7 916 765-43-21",
        "marfa",
        "8 (916) 765-43-21",
        "Boris +79167654322 b@mail.example",
        "B@mail.example",
    ]
    assert list(map(stand_ins.replace_people, texts)) == [
        "Name1 +7 916 000-00-01",
        "Name1",
        "8 (916) 000-00-01",
        "Boris +79160000002 person1@example.com",
        "person1@example.com",
    ]


def test_a_free_text_stays_where_a_route_depends_on_it(folder: Path, config: Config) -> None:
    route = """\
  - name: named orders
    on: add_contact
    where: {custom: {Wish: {matches: "^Secret"}}}
    to: spare
    body: {id: "{{ contact.id }}"}
"""
    Path("relay.yaml").write_text(Path("relay.yaml").read_text() + route)
    config = load_file("relay.yaml", environ=VARIABLES, sink_types=sink_types())
    text = written(receipt(contact()), config)
    assert "# kept as it was, because a route depends on it: custom_fields.2.values.0.value\n" in text
    assert '"Secret wish of Name1"' in text or "Secret wish of Name1" in text
    assert "Marfa" not in text
    assert run(text) == []


def test_people_of_the_configuration_are_not_in_the_case_either(config: Config) -> None:
    hook = receipt(b"leads[status][0][id]=7&leads[status][0][status_id]=1&leads[status][0][responsible_user_id]=102525"
                   b"&leads[status][0][name]=Beans")  # fmt: skip
    text = written(hook, config)
    assert "text to the manager" in text
    assert "9161234567" not in text
    assert run(text) == []
    assert without_people({"phone": "+79161234567", "to": ["a@b.example", "c"], "n": 79161234567}, frozenset()) == {
        "to": ["c"]
    }


def test_what_the_account_would_answer_is_made_up(config: Config) -> None:
    text = written(receipt(b"leads[update][0][id]=7&leads[update][0][status_id]=142"), config)
    assert "# fetched is made up: what the account answers is not stored\n" in text
    assert "person1@example.com" in text
    assert run(text) == []


def test_one_event_of_several_is_chosen_by_its_index(config: Config) -> None:
    hook = receipt(b"leads[add][0][id]=1&leads[add][1][id]=2")
    assert written(hook, config, "1").count("- name: add_lead lead 2\n") == 1
    with pytest.raises(RelayError, match="has no event 2: it has 2, counted from 0"):
        written(hook, config, "2")


def test_what_cannot_be_a_case_says_why(config: Config) -> None:
    with pytest.raises(RelayError, match="has no event to make a case of: body: "):
        written(receipt(b"hello"), config)
    with pytest.raises(RelayError, match="source 'gone' is not in the configuration"):
        cases_of_receipt(Receipt(id="r", source="gone", received_at=1, body=b"a[b]=1"), config, None)
