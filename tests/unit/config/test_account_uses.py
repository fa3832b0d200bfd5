"""What a configuration uses of its accounts is known with the place of each."""

import pytest

from relay.config.load import load, load_file
from relay.config.names_files import parse_names
from relay.sinks.registry import sink_types

ACME = """\
pipelines: {"3340": {name: Опт, statuses: {"201": Новый, "142": Успешно реализовано}}}
users: {"7": Анна, "8": Пётр}
fields: {lead: {"1": {name: Город}}, contact: {"2": {name: Должность}}, company: {}}
"""
HEAD = """\
sources:
  acme: {type: amocrm, token: long-enough, api: {url: "http://127.0.0.1:9", token: x}}
sinks: {log: {type: log}}
tables: {managers: {7: "+7"}}
templates: {card: {who: "{{ lead.custom['Город'] }}"}}
routes:
  - name: r
    on: status_lead
    to: log
"""


def uses(text: str, **more) -> set[tuple]:
    names = {"acme": parse_names(ACME, "names/acme.yaml")}
    config = load(HEAD + text, file="relay.yaml", environ={}, sink_types=sink_types(), names=names, **more)
    return {(use.kind, use.written, use.place, use.role) for use in config.uses}


@pytest.mark.parametrize(("text", "found"), [
    ("    where: {pipeline: Опт, status: Новый}\n",
     {("pipeline", "Опт", "relay.yaml:10:23", "only"), ("status", "Новый", "relay.yaml:10:36", "only")}),
    ("    where: {status_id: [142, 201]}\n",
     {("status", "142", "relay.yaml:10:25", "one of"), ("status", "201", "relay.yaml:10:30", "one of")}),
    ("    where: {responsible: {ne: Анна}}\n", {("user", "Анна", "relay.yaml:10:31", "exception")}),
    ("    where: {not: {responsible_user_id: 8}}\n", {("user", "8", "relay.yaml:10:40", "exception")}),
    ("    where: {any: [{status_id: 142}, {pipeline_id: 3340}]}\n",
     {("status", "142", "relay.yaml:10:31", "one of"), ("pipeline", "3340", "relay.yaml:10:51", "one of")}),
    ("    where: {responsible_user_id: 0}\n", set()),  # nobody
    ("    where: {custom: {Город: Москва}}\n",
     {("field", "Город", "relay.yaml:10:22", "only"), ("value", "Москва", "relay.yaml:10:29", "only")}),
    ("    fetch: contacts\n    where: {contact: {custom: {Должность: {exists: true}}}}\n",
     {("field", "Должность", "relay.yaml:11:32", "only")}),
    ("    body: card\n", {("field", "Город", "relay.yaml:5:25", "content")}),
    ("    text: \"{{ lead.custom['Город'] | default('') }}\"\n", {("field", "Город", "relay.yaml:10:11", "one of")}),
    ("    text: \"{{ lead.responsible_user_id | lookup('managers') }}\"\n",
     {("table", "responsible_user_id", "relay.yaml:10:11", "content")}),
    ("    text: \"{{ lead.responsible_user_id | lookup('managers') | default('') }}\"\n", set()),
    ("    once: \"{{ lead.custom['Город'] }}\"\n", {("field", "Город", "relay.yaml:10:11", "content")}),
])  # fmt: skip
def test_each_use_has_its_place_and_what_becomes_of_the_route_without_it(text, found):
    assert uses(text) == found


def test_a_route_of_an_included_file_has_its_place_there(tmp_path):
    (tmp_path / "relay.yaml").write_text(HEAD.partition("routes:")[0] + "include: more.yaml\n")
    (tmp_path / "more.yaml").write_text("routes:\n  - {name: r, on: add_lead, to: log, where: {status_id: 142}}\n")
    config = load_file(str(tmp_path / "relay.yaml"), environ={}, sink_types=sink_types())
    [use] = config.uses
    assert use.place.endswith("more.yaml:2:57")


def test_a_route_of_several_sources_uses_each_account():
    text = HEAD.replace("sinks:", "  branch: {type: amocrm, token: long-enough}\nsinks:", 1)
    config = load(text + "    where: {status_id: 142}\n", file="relay.yaml", environ={}, sink_types=sink_types())
    assert {(use.source, use.written) for use in config.uses} == {("acme", "142"), ("branch", "142")}
