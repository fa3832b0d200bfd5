"""A broken file of cases is refused, with every mistake at its place and what would be right."""

from pathlib import Path

import pytest

from relay.amocrm.events import decode_receipt
from relay.cases.load import CaseLoader
from relay.errors import ConfigError
from relay.sinks.registry import sink_types
from tests.unit.cases.conftest import VARIABLES, Load

LEAD = "event: status_lead, lead: {id: 7, status_id: 142, price: 1}"


def refused(load_cases: Load, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_cases(text)
    return str(raised.value).splitlines()


@pytest.mark.parametrize(("case", "message"), [
    ("event: staus_lead, lead: {id: 7}, expect: []",
     "a.yaml:2:27: unknown event staus_lead, did you mean status_lead?"),
    (f"{LEAD}, expect: [{{route: invoise}}]", "unknown route invoise, did you mean invoice?"),
    (f"{LEAD}, expect: [{{route: invoice, to: book}}]", "unknown sink book, did you mean books?"),
    (f"{LEAD}, expect: [{{route: invoice, to: sms}}]",
     "route invoice does not deliver to sms: it delivers to books, spare"),
    (f"{LEAD}, expect: [{{route: buyer, once: 7}}]", "route buyer has no once"),
    (f"{LEAD}, source: acm, expect: []", "unknown source acm, did you mean acme?"),
    (f"{LEAD}, expct: []", "unknown key expct, did you mean expect?"),
    (f"{LEAD}, expect: [{{route: invoice, state: skiped}}]", "state: 'skiped' is unknown, did you mean skipped?"),
    (f"{LEAD}, expect: [{{route: invoice, because: price, once: 7}}]",
     "a route that does not match has neither state, reason, once, order, latest nor content"),
    (f"{LEAD}, expect: [{{route: invoice, exact: true}}]", "exact is about the content: write that too"),
    (LEAD, "expect is missing"),
    ("expect: []", "one of body, body_file and event says what the hook is"),
    (f"{LEAD}, body: a=1, expect: []", "one of body, body_file and event says what the hook is"),
    ("body: a=1, lead: {id: 7}, expect: []", "a body has its entity and its account in it"),
    ("event: status_lead, expect: []", "status_lead has no fields here: write lead: {id: 7}"),
    ("event: status_lead, contact: {id: 7}, expect: []",
     "status_lead has no contact: write its fields as lead: {…}"),
    ("event: add_message, lead: {id: 7}, expect: []", "add_message has no lead: write its fields as entity: {…}"),
    ("body_file: none.form, expect: []", "cases/none.form: No such file or directory: name a file beside this one"),
    (f"{LEAD}, now: yesterday, expect: []", "'yesterday' is no time with its zone: write 2026-11-29T12:00:00+03:00"),
    (f"{LEAD}, now: \"2026-11-29T12:00:00\", expect: []", "is no time with its zone"),
    (f"{LEAD}, fetched: {{contact: {{id: 1}}, contacts: []}}, expect: []", "not both"),
    (f"{LEAD}, fetched: {{kontact: {{id: 1}}}}, expect: []", "unknown key kontact, did you mean contact?"),
])  # fmt: skip
def test_a_mistake_is_named_with_its_place(load_cases: Load, case: str, message: str) -> None:
    found = refused(load_cases, f"  - {{name: a case, {case}}}")
    assert all(line.startswith("cases/a.yaml:2:") for line in found)
    assert message in found[-1]


def test_every_mistake_of_all_files_is_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    files = [Path(f"cases/{name}.yaml") for name in "abc"]
    for file in files:
        file.write_text(f"cases: [{{name: one, {LEAD}, expect: [{{route: x}}]}}, {{name: two, {LEAD}}}]")
    files[2].write_text("cases: [")
    with pytest.raises(ConfigError) as raised:
        CaseLoader("relay.yaml", VARIABLES, sink_types()).load(files)
    found = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in found] == ["cases/a.yaml", "cases/b.yaml", "cases/c.yaml"]
    assert [line.partition("expect is missing")[1] for line in found[:2]] == ["expect is missing"] * 2


def test_names_are_unique_in_a_file(load_cases: Load) -> None:
    (found,) = refused(load_cases, f"  - {{name: one, {LEAD}, expect: []}}\n  - {{name: one, {LEAD}, expect: []}}")
    assert found == "cases/a.yaml:3:12: name: another case has it, at 2:12: give each its own"


def test_a_file_names_its_configuration_and_its_variables(load_cases: Load, folder: Path) -> None:
    (folder / "other.yaml").write_text("""\
sources: {shop: {type: amocrm, token: "${SHOP_TOKEN}"}}
sinks: {books: {type: http, url: "${SHOP_URL}"}}
routes: [{name: all, on: add_lead, to: books, body: {id: "{{ lead.id }}"}}]
""")
    case = "cases: [{name: all, event: add_lead, lead: {id: 7}, expect: [{route: all}]}]"
    missing = refused(load_cases, f"config: ../other.yaml\n{case}")
    assert missing == [f"other.yaml:{place} is not set, or empty: {advice}" for place, advice in (
        ("1:39: SHOP_TOKEN", "set it in .env or the environment, or write ${SHOP_TOKEN:-a default}"),
        ("2:34: SHOP_URL", "set it in .env or the environment, or write ${SHOP_URL:-a default}"),
    )]  # fmt: skip
    variables = "variables: {SHOP_TOKEN: a-token, SHOP_URL: https://shop.example.com}"
    (loaded,) = load_cases(f"config: ../other.yaml\n{variables}\n{case}")
    assert loaded.receipt.source == "shop"


def test_cases_share_what_anchors_name(load_cases: Load) -> None:
    one, two = load_cases("""\
x-lead: &lead {id: 7, status_id: 142}
cases:
  - {name: one, event: status_lead, lead: *lead, expect: []}
  - {name: two, event: status_lead, lead: {<<: *lead, price: 5}, expect: []}
""")
    data = [decode_receipt(case.receipt)[1][0].data for case in (one, two)]
    assert data == [{"id": "7", "status_id": "142"}, {"id": "7", "status_id": "142", "price": "5"}]


SHOP = "  shop: {type: amocrm, token: e-token, account: {subdomain: shop}, api: {token: f-token}}"


def test_several_sources_must_be_told_apart(load_cases: Load, folder: Path) -> None:
    config = (folder / "relay.yaml").read_text()
    (folder / "relay.yaml").write_text(config.replace("sinks:", f"{SHOP}\nsinks:", 1))
    (found,) = refused(load_cases, f"  - {{name: one, {LEAD}, expect: []}}")
    assert found == "cases/a.yaml:2:5: source is missing: the file has several, name one of acme, shop"
    (case,) = load_cases(f"  - {{name: one, {LEAD}, source: shop, expect: []}}")
    assert case.receipt.source == "shop"
