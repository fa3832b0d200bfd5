"""What of an account is not as the configuration needs it: found in the fake account for every kind of thing."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from relay.accounts.names import fetch_setup
from relay.amocrm.form import encode_form
from relay.config.load import load_file
from relay.errors import AccountUnavailable
from relay.operations.field_days import FieldDays
from relay.operations.problems import read_problems
from relay.sandbox.amocrm.access import LONG_LIVED
from relay.sinks.registry import sink_types
from relay.store.records import Job
from relay.store.shared_state import SharedState
from tests.integration.store.shapes import hook
from workers.drift_watch import COMPARE_DRIFT, WATCH_DRIFT, DriftWatch, drift_args
from workers.field_counter import FieldCounter

CONFIG = """\
sources:
  acme: {{type: amocrm, token: long-enough, api: {{url: '{url}', token: {token}, rate: 500/s}}}}
sinks: {{log: {{type: log}}}}
tables:
  managers: {{102525: "+79161234567", 938348: "+79261234567", 504141: "+79361234567"}}
routes:
  - name: shipped
    on: status_lead
    where: {{pipeline: Опт, status: Отгрузка, responsible: {{ne: Интеграция}}}}
    to: log
    text: "{{{{ lead.responsible_user_id | lookup('managers') }}}}"
  - name: in town
    on: add_lead
    where: {{custom: {{Город: Москва}}, any: [{{status_id: 10216995}}, {{pipeline_id: 3340}}]}}
    to: log
    text: "{{{{ lead.custom['Дата отгрузки'] }}}}"
"""
CASES = """\
cases:
  - name: a lead of wholesale
    event: add_lead
    lead: {id: 7, pipeline_id: 3340, status_id: 20030001, responsible_user_id: 1}
    expect: []
    others: true
"""
WHOLESALE, SHIPPED, TOWN, DAY = "3340", "20030002", "427183", "427271"


@pytest.fixture
def watched(run, tmp_path, served, relay, store, server, namespace, monkeypatch):
    """Return a relay whose account's names are written, and its watch, which asks the account when it is called."""
    served.amocrm.limits.rate = 1000
    monkeypatch.setenv("RELAY_CONFIG", str(tmp_path / "relay.yaml"))
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)
    file = tmp_path / "relay.yaml"
    text = CONFIG.format(url=served.url, token=LONG_LIVED)
    file.write_text(text)
    assert relay.command("names", "acme")[0] == 0
    return SimpleNamespace(file=file, relay=relay, amocrm=served.amocrm, reader=relay.reader)


@pytest.fixture
def ask(run, watched, client, store):
    """Return a function that asks the account as the job of a worker does, and returns the problems by their ids."""
    watched.account = client(rate=(1000, 1000))

    def problems(kind: str = "drift") -> dict:
        config = load_file(str(watched.file), environ={}, sink_types=sink_types())
        live = SimpleNamespace(config=config, error=None)
        watch = DriftWatch(live, store, str(watched.file), lambda _: watched.account)
        watched.again_ms = run(watch.ask(Job(id="drift:acme", kind=WATCH_DRIFT, args=drift_args("acme"), token="t")))
        return {one.id: one for one in run(read_problems(watched.reader, config)) if one.kind == kind}

    return problems


def found(problems: dict) -> dict[str, tuple[str, str]]:
    return {id.removeprefix("drift:acme/"): (one.grade, one.found) for id, one in problems.items()}


def test_an_account_that_is_as_it_is_needed_has_not_drifted(ask, watched):
    assert ask() == {}
    assert 0.8 < watched.again_ms / 86_400_000 <= 1, "asked about once a day, and not all accounts at once"
    status, printed = watched.relay.command("names", "--check")
    assert (status, printed) == (0, "acme: 0 thing(s) drifted from what is needed of the account\n")


@pytest.mark.parametrize(("change", "key", "grade", "says"), [
    ({"pipelines": {WHOLESALE: None}}, "pipeline/3340", "bad", "pipeline 3340 Опт is gone"),
    ({"pipelines": {WHOLESALE: {"name": "Крупный опт"}}}, "pipeline/3340", "warning",
     "pipeline 3340 was renamed: names/acme.yaml says Опт, the account says Крупный опт"),
    ({"pipelines": {WHOLESALE: {"statuses": {SHIPPED: None}}}}, "status/20030002", "bad",
     "status 20030002 Отгрузка is gone"),
    ({"pipelines": {WHOLESALE: {"statuses": {SHIPPED: "В пути"}}}}, "status/3340/20030002", "warning",
     "status 20030002 was renamed: names/acme.yaml says Отгрузка, the account says В пути"),
    ({"fields": {"leads": {TOWN: None}}}, "field/lead/427183", "bad", "field 427183 Город of lead is gone"),
    ({"fields": {"leads": {TOWN: {"name": "Населённый пункт"}}}}, "field/lead/427183", "bad",
     "field 427183 of lead was renamed: names/acme.yaml says Город, the account says Населённый пункт"),
    ({"fields": {"leads": {TOWN: {"type": "text", "enums": None}}}}, "field/lead/427183/type", "warning",
     "field lead Город has another type: names/acme.yaml says select, the account says text"),
    ({"fields": {"leads": {TOWN: {"enums": ["Казань", "Тула"]}}}}, "value/lead/427183/Москва", "bad",
     "field lead Город has no value Москва any more"),
    ({"fields": {"leads": {DAY: None}}}, "field/lead/427271", "bad", "field 427271 Дата отгрузки of lead is gone"),
    ({"users": {"504141": None}}, "user/504141", "warning", "user 504141 Интеграция is gone"),
    ({"users": {"504141": {"is_active": False}}}, "user/504141", "warning",
     "user 504141 Интеграция is not active any more"),
    ({"users": {"504141": {"name": "Робот"}}}, "user/504141", "warning",
     "user 504141 was renamed: names/acme.yaml says Интеграция, the account says Робот"),
    ({"users": {"777001": {"name": "Ольга Новая"}}}, "entry/managers/777001", "warning",
     "777001 Ольга Новая has no entry in the table managers"),
])  # fmt: skip
def test_each_thing_that_differs_is_a_problem_of_its_own(ask, watched, change, key, grade, says):
    watched.amocrm.account.set_up(change)
    assert found(ask())[key] == (grade, says)
    status, printed = watched.relay.command("names", "acme", "--check")
    assert status == 1
    assert f": {says}: " in printed
    assert printed.startswith(f"{watched.file}:"), "each line begins with the place that needs it"


def test_users_without_an_entry_whom_no_event_names_are_told_together(ask, watched):
    """They were there before the names were written, so nothing about them is new."""
    text = watched.file.read_text()
    watched.file.write_text(text.replace(', 938348: "+79261234567", 504141: "+79361234567"', ""))
    watched.amocrm.account.set_up({"users": {"777001": {"name": "Ольга Новая"}}})
    told = found(ask())
    assert told.keys() == {"entry/managers", "entry/managers/777001"}
    grade, says = told["entry/managers"]
    assert grade == "warning"
    assert re.fullmatch(r"users without an entry in the table managers: 504141 Интеграция, 938348 [^,]+", says)
    watched.amocrm.account.set_up({"users": {"504141": {"is_active": False}, "938348": {"is_active": False}}})
    assert "entry/managers" not in found(ask())


def test_what_nobody_needs_may_change(ask, watched):
    watched.amocrm.account.set_up({
        "pipelines": {"2116": {"name": "Розница", "statuses": {"10216998": None, "55": "Ждёт"}}},
        "fields": {"contacts": {"427185": None}, "leads": {"9": {"name": "Скидка", "type": "numeric"}}},
        "users": {"102525": {"name": "Анна Петрова"}},
    })  # fmt: skip
    assert ask() == {}
    status, printed = watched.relay.command("names", "--check")
    assert status == 0
    assert "acme: 6 name(s) differ from the file; `relay names acme` writes it" in printed


def test_a_problem_names_what_it_breaks_and_the_act_that_helps(ask, watched):
    watched.amocrm.account.set_up({"pipelines": {WHOLESALE: {"statuses": {SHIPPED: None}}}})
    [problem] = ask().values()
    shown = watched.relay.command("sources", "show", "acme")[1]
    assert ": 1 thing(s) drifted, `relay problems list` tells them" in shown
    assert problem.means == "the routes whose condition needs it can never match"
    assert problem.cause == f"route shipped at {watched.file}:9:36"
    assert problem.act.command == "relay names acme --check"
    status, printed = watched.relay.command("names", "acme", "--check", "--json")
    [drift] = json.loads(printed)["checks"][0]["drifts"]
    assert (status, drift["problem"], drift["thing"], drift["change"]) == (1, problem.id, "status", "gone")
    assert drift["used"] == [{"by": "route shipped", "place": f"{watched.file}:9:36", "role": "only"}]


def test_a_renamed_field_breaks_only_what_writes_its_name(ask, watched):
    watched.file.write_text(watched.file.read_text().replace("Город: Москва", '"427183": Москва'))
    watched.amocrm.account.set_up({"fields": {"leads": {TOWN: {"name": "Населённый пункт"}}}})
    [problem] = ask().values()
    assert problem.grade == "warning"
    assert problem.means.startswith("what uses it goes on by its id")


def test_cases_that_have_what_is_gone_are_told_with_their_place(ask, watched):
    folder = watched.file.parent / "cases"
    folder.mkdir()
    (folder / "relay.yaml").write_text(CASES)
    assert ask() == {}, "user 1 was never there: a case may be written with any id"
    watched.amocrm.account.set_up({"pipelines": {WHOLESALE: {"statuses": {"20030001": None}}}})
    [problem] = ask().values()
    assert (problem.found, problem.means) == (
        "status 20030001 Новый is gone", "a case tests what cannot happen any more",
    )  # fmt: skip
    assert problem.cause == f"case a lead of wholesale at {folder / 'relay.yaml'}:2:5"
    (folder / "more.yaml").write_text("cases: [{name: none, event: add_leed, lead: {id: 1}, expect: []}]")
    status, printed = watched.relay.command("names", "--check")
    assert (status, printed.count("a case tests what cannot happen any more")) == (1, 1)
    assert f"{folder / 'more.yaml'}:1:29: unknown event add_leed" in printed
    assert "these cases are left out" in printed


def test_a_drift_stays_one_problem_and_ends_when_the_file_or_the_account_is_mended(ask, watched):
    watched.amocrm.account.set_up({"pipelines": {WHOLESALE: {"statuses": {SHIPPED: "В пути"}}}})
    assert [*ask()] == [*ask()] == ["drift:acme/status/3340/20030002"]
    watched.file.write_text(watched.file.read_text().replace("status: Отгрузка", f"status_id: {SHIPPED}"))
    assert watched.relay.command("names", "acme")[0] == 0
    assert ask() == {}


def test_who_is_responsible_for_recent_events_and_in_no_table_is_told_at_once(ask, watched, run, store):
    """Nobody asks the account for that: its answer of the day is compared with what a sample of the hooks had."""
    assert ask() == {}
    asked = watched.amocrm.api.request_counts.total()
    config = load_file(str(watched.file), environ={}, sink_types=sink_types())
    live = SimpleNamespace(config=config, error=None)
    lead = {"id": "7", "pipeline_id": WHOLESALE, "status_id": SHIPPED, "responsible_user_id": "777001"}
    run(store.accept([hook(f"r{at}", encode_form({"leads": {"status": [lead]}})) for at in range(3)]))
    run(FieldCounter(live, store).count_sample(store.clock.ms() + 1))
    run(FieldDays(SharedState(store.client, store.namespace)).conclude(config, {}))
    watch = DriftWatch(live, store, str(watched.file), lambda _: watched.account)
    run(watch.compare(Job(id="c", kind=COMPARE_DRIFT, args=b"{}", token="t")))
    [problem] = [one for one in run(read_problems(watched.reader, config)) if one.kind == "drift"]
    assert (problem.id, problem.grade, problem.count) == ("drift:acme/entry/managers/777001", "bad", 3)
    assert problem.found == "777001 has no entry in the table managers"
    assert problem.cause == f"route shipped at {watched.file}:11:11"
    assert watched.amocrm.api.request_counts.total() == asked
    assert watched.relay.command("names", "--check")[0] == 1


@pytest.mark.parametrize("state", ["locked", "refused"])
def test_an_account_that_cannot_be_asked_has_not_drifted(ask, watched, state):
    watched.amocrm.account.set_up({"pipelines": {WHOLESALE: None}})
    before = found(ask())
    assert before
    watched.amocrm.account.set_up({"fields": {"leads": {TOWN: None}}})
    if state == "locked":
        watched.amocrm.limits.blocked_until = float("inf")
    else:
        watched.amocrm.tokens.revoke()
    assert found(ask()) == before, "what was found before stands, and nothing is added"
    assert watched.again_ms <= 3_600_000, "it is asked again within an hour"
    status, printed = watched.relay.command("names", "--check")
    assert status == 3
    assert printed.startswith("acme: not compared, which is no drift: amoCRM ")
    assert printed.count("\n") == 1, "and nothing of drift"


def test_it_is_a_problem_that_an_account_could_not_be_asked_for_days(ask, watched, run, store):
    watched.amocrm.tokens.revoke()
    assert ask("account-unasked") == {}
    key = store.keys.shared("account:acme:drift")
    report = msgspec.json.decode(run(store.client.get(key)))
    report["failing_since"] -= 3 * 86_400_000
    run(store.client.set(key, msgspec.json.encode(report)))
    [problem] = ask("account-unasked").values()
    assert problem.grade == "warning"
    assert "does not accept the token" in problem.cause


@pytest.mark.parametrize(("path", "answer"), [
    ("/api/v4/users", {"_total_items": 9, "_embedded": {"users": [{"id": 1, "name": "Анна"}]}}),
    ("/api/v4/users", {"_embedded": {}}),
    ("/api/v4/leads/pipelines", {"_embedded": {"pipelines": [{"id": 1, "name": "Опт", "_embedded": {}}]}}),
    ("/api/v4/leads/pipelines", None),
    ("/api/v4/leads/custom_fields", {"_links": {"next": {"href": "…"}}, "_embedded": {"custom_fields": [{"id": 1}]}}),
    ("/api/v4/leads/custom_fields", {"_embedded": {"custom_fields": [{"name": "Город"}]}}),
])  # fmt: skip
def test_what_an_answer_lacks_in_part_is_not_gone(run, client, path, answer, served):
    served.amocrm.limits.rate = 1000

    class PartialAnswers:
        """The account's client, which has of one list a part."""

        source, _whole = "acme", client(rate=(1000, 1000))

        async def get(self, asked: str, params: dict | None = None) -> object:
            if asked == path:
                return answer if not params or params["page"] == 1 else None
            return await self._whole.get(asked, params)

    with pytest.raises(AccountUnavailable, match=f"GET {path}: amoCRM's answer is not whole"):
        run(fetch_setup(PartialAnswers()))


def test_a_closed_gate_of_the_account_is_respected(ask, watched, run, store):
    gate = store.keys.gate("account:acme")
    run(store.client.hset(gate, mapping={"until": store.clock.ms() + 60_000, "reason": "401"}))
    asked = watched.amocrm.api.request_counts.total()
    assert ask() == {}
    assert watched.amocrm.api.request_counts.total() == asked


def test_a_file_of_names_that_is_missing_hides_no_id_that_is_gone(ask, watched):
    Path(watched.file.parent / "names" / "acme.yaml").unlink()
    text = watched.file.read_text()
    text = text.replace("{pipeline: Опт, status: Отгрузка, responsible: {ne: Интеграция}}", "{status_id: 142}")
    watched.file.write_text(text)
    assert ask() == {}
    watched.file.write_text(text.replace("142", "20030009"))
    assert found(ask()) == {"status/20030009": ("bad", "status 20030009 is gone")}
