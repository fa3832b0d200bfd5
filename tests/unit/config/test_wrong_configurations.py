"""Configurations as somebody writes them who is new here, and the exact line that `relay check` answers."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from relay.amocrm.views import FRIENDLY_FIELDS, View
from relay.config.load import load
from relay.config.text_files import read_text
from relay.errors import ConfigError
from relay.sinks.http.sink import HttpSink
from relay.sinks.registry import sink_types
from relay.spelling import nearest_name
from relay.timezones import suggest_timezone
from relay.transport import Request, Response, TransportFailure

RIGHT = {
    "source": "  acme: {type: amocrm, token: acme-hook-token, timezone: Europe/Moscow}",
    "sink": "  console: {type: log}",
    "on": "    on: status_lead",
    "where": "    where: {status_id: 142}",
    "to": "    to: console",
    "body": '    body: {id: "{{ lead.id }}"}',
}
FRAME = """\
sources:
{source}
sinks:
{sink}
routes:
  - name: a route
{on}
{where}
{to}
{body}
"""
"""A configuration that is right. Lines: the source 2, the sink 4, `on` 7, `where` 8, `to` 9, `body` 10."""


@dataclass(frozen=True)
class Wrong:
    """A line of the frame as somebody writes it, and what follows the file's name in the answer."""

    part: str
    written: str
    finding: str

    def text(self) -> str:
        return FRAME.format(**{**RIGHT, self.part: self.written})


SMS = "  sms: {{type: smsru, api_id: '${{KEY}}'{}}}"
ONCE = "is the same for every event, so there would be one delivery for good: write"

CONSTANTS = [
    Wrong("to", "    to: console\n    once: lead.id", f"""10:11: once: 'lead.id' {ONCE} "{{{{ lead.id }}}}\""""),
    Wrong("to", "    to: console\n    once: invoice", f"""10:11: once: 'invoice' {ONCE} "{{{{ lead.id }}}}\""""),
    Wrong(
        "to",
        '    to: console\n    once: "{{ account.subdomain }}"',
        f"""10:11: once: '{{{{ account.subdomain }}}}' {ONCE} "{{{{ lead.id }}}}\"""",
    ),
    Wrong(
        "to",
        '    to: console\n    once: "{{ event.name }}-{{ timezone }}"',
        f"""10:11: once: '{{{{ event.name }}}}-{{{{ timezone }}}}' {ONCE} "{{{{ lead.id }}}}\"""",
    ),
    Wrong(
        "to",
        "    to: console\n    once: { lead.id }",
        '10:11: once: { lead.id } without quotes is read as a mapping: write "{{ lead.id }}"',
    ),
]

UNMARKED = [
    Wrong("body", "    body: {id: lead.id}", '10:16: lead.id is sent as it stands: write "{{ lead.id }}"'),
    Wrong(
        "body",
        "    body: {price: lead.price | money}",
        '10:19: lead.price | money is sent as it stands: write "{{ lead.price | money }}"',
    ),
    Wrong(
        "body",
        "    body: {name: { lead.name }}",
        '10:18: { lead.name } without quotes is read as a mapping: write "{{ lead.name }}"',
    ),
    Wrong(
        "body",
        '    body: {text: "Сделка { lead.name } выиграна"}',
        "10:18: { lead.name } is sent as it stands: write {{ lead.name }}",
    ),
    Wrong(
        "body",
        '    body: {text: "Сделка ${lead.name} выиграна"}',
        "10:18: ${ starts a variable: write ${NAME} or ${NAME:-default}, or $${ for the characters; "
        "a field is {{ lead.name }}",
    ),
    Wrong(
        "where",
        '    where: {name: "{{ contact.name }}"}',
        "8:13: {{ … }} is no template here: a condition compares with what is written",
    ),
    Wrong(
        "sink",
        '  console: {type: http, url: "https://books.example.com/deals/{{ lead.id }}"}',
        "4:30: url: {{ … }} is no template here: what differs from event to event stands in the route's path or query",
    ),
]

IN_ADDRESS = "url: a secret in an address is shown wherever it is: set a variable, and write ${NAME} in its place"

VARIABLES = [
    Wrong(
        "sink",
        "  console: {type: http, url: https://books.example.com, auth: {bearer: $BOOKS_TOKEN}}",
        "4:72: $BOOKS_TOKEN is not read as a variable: write ${BOOKS_TOKEN}",
    ),
    Wrong(
        "sink",
        '  console: {type: http, url: "https://$BOOKS_HOST/api"}',
        "4:30: $BOOKS_HOST is not read as a variable: write ${BOOKS_HOST}",
    ),
    Wrong(
        "source",
        '  acme: {type: amocrm, token: "%ACME_TOKEN%", timezone: Europe/Moscow}',
        "2:31: %ACME_TOKEN% is not read as a variable: write ${ACME_TOKEN}",
    ),
    Wrong(
        "source",
        '  acme: {type: amocrm, token: "{{ env.ACME_TOKEN }}", timezone: Europe/Moscow}',
        "2:31: {{ env.ACME_TOKEN }} is not read as a variable: write ${ACME_TOKEN}",
    ),
    Wrong(
        "sink",
        '  console: {type: http, url: "https://api.telegram.org/bot123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"}',
        f"4:30: {IN_ADDRESS}",
    ),
    Wrong(
        "sink",
        '  console: {type: http, url: "https://books.example.com/hook?api_key=17"}',
        f"4:30: {IN_ADDRESS}",
    ),
]

VALUES = [
    Wrong(
        "where",
        "    where: {status_id: won}",
        "8:24: status_id is a number, and 'won' is none: write 142, which is won in every pipeline",
    ),
    Wrong(
        "where",
        "    where: {status_id: [142, Отгрузка]}",
        "8:30: status_id is a number, and 'Отгрузка' is none: for a name write status: Отгрузка, after `relay names`",
    ),
    Wrong(
        "where",
        "    where: {responsible_user_id: Иванов}",
        "8:34: responsible_user_id is a number, and 'Иванов' is none: for a name write responsible: Иванов, "
        "after `relay names`",
    ),
    Wrong(
        "where", "    where: {any: [{price: 10 000 ₽}]}", "8:27: price is a number, and '10 000 ₽' is none: write 10000"
    ),
    Wrong(
        "where",
        "    where: {status: won}",
        "8:21: the names of acme are not known: run `relay names acme`, or write status_id: 142",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, account: {id: acme.amocrm.ru}}",
        "2:62: id: 'acme.amocrm.ru' is no account's id, which is a number such as 7039099: write subdomain: acme",
    ),
    Wrong(
        "source",
        '  acme: {type: amocrm, token: acme-hook-token, account: {subdomain: "https://acme.kommo.com/"}}',
        "2:69: subdomain: 'https://acme.kommo.com/' is more than the subdomain: write subdomain: acme",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, ignore_users: [Интеграция]}",
        "2:63: 'Интеграция' is no user's id: write the number that `relay names` shows, such as 504141",
    ),
]

HINTS = [
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, timezone: MSK}",
        "2:58: timezone: 'MSK' is not a time zone, write Europe/Moscow",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, timezone: UTC+3}",
        "2:58: timezone: 'UTC+3' is not a time zone, write Europe/Moscow",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, timezone: MSK+2}",
        "2:58: timezone: 'MSK+2' is not a time zone, write Asia/Yekaterinburg",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, timezone: Москва}",
        "2:58: timezone: 'Москва' is not a time zone, write Europe/Moscow",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, timezone: Moscow}",
        "2:58: timezone: 'Moscow' is not a time zone, write Europe/Moscow",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, timezone: Europe/Moskow}",
        "2:58: timezone: 'Europe/Moskow' is not a time zone, did you mean Europe/Moscow?",
    ),
    Wrong(
        "body",
        "    body: {at: \"{{ lead.created_at | date('%H:%M', 'UTC+3') }}\"}",
        "10:16: 'UTC+3' is not a time zone, write Europe/Moscow",
    ),
    Wrong(
        "where",
        "    where: {lead.pipeline_id: 2116}",
        "8:13: status_lead has no field lead.pipeline_id, leave out lead.: pipeline_id",
    ),
    Wrong(
        "where", "    where: {lead.budget: 100}", "8:13: status_lead has no field lead.budget, leave out lead.: price"
    ),
    Wrong(
        "where",
        "    where: {contact.email: {exists: true}}",
        "8:13: status_lead has no field contact.email, write contact: {email: …}, and fetch: contacts",
    ),
    Wrong(
        "where",
        "    where: {custom.Город: Москва}",
        '8:13: status_lead has no field custom.Город, write custom: {"Город": …}',
    ),
    Wrong(
        "where",
        "    where: {Город: Москва}",
        '8:13: status_lead has no field Город, a custom field is written custom: {"Город": …}',
    ),
    Wrong("where", "    where: {budget: {gt: 0}}", "8:13: status_lead has no field budget, write price"),
    Wrong(
        "where",
        "    where: {email: {exists: true}}",
        "8:13: status_lead has no field email, a lead's hook has no contact: write contact: {email: "
        "…}, and fetch: contacts",
    ),
    Wrong("where", "    where: {price: {min: 1000}}", "8:21: unknown operator min; did you mean gte?"),
    Wrong("where", "    where: {name: {like: Заказ}}", "8:20: unknown operator like; did you mean matches?"),
    Wrong(
        "where", "    where: {price: {between: [1, 5]}}", "8:21: unknown operator between; did you mean gte and lte?"
    ),
    Wrong("on", "    on: lead_status", "7:9: unknown event lead_status, write status_lead"),
    Wrong("on", "    on: leads.add", "7:9: unknown event leads.add, write add_lead"),
    Wrong("on", "    on: lead_status_changed", "7:9: unknown event lead_status_changed, write status_lead"),
    Wrong("on", "    on: deal_won", "7:9: unknown event deal_won, write status_lead, and where: {status_id: 142}"),
    Wrong(
        "on",
        "    on: lead",
        "7:9: unknown event lead, write one of add_lead, call_in_lead, chat_lead, delete_lead, "
        "mail_in_lead, note_lead, responsible_lead, restore_lead, site_visit_lead, status_lead, "
        "update_lead",
    ),
    Wrong("on", "    on: '*'", "7:9: unknown event *, name each event, such as [add_lead, update_lead]"),
    Wrong(
        "where",
        "    where: {price: true}",
        '8:13: amoCRM never sends true: write "1" for true, "0" for false, or exists: true',
    ),
    Wrong(
        "where",
        "    where: status_id = 142",
        "8:5: needs a mapping of fields to values, such as {status_id: 142}, saw a text",
    ),
    Wrong(
        "where",
        "    where: {any: [status_id]}",
        "8:19: needs a mapping of fields to values, such as {status_id: 142}, saw a text",
    ),
    Wrong("body", '    body: {budget: "{{ lead.budget }}"}', "10:20: unknown field lead.budget; write lead.price"),
    Wrong(
        "body", '    body: {city: "{{ lead.Город }}"}', "10:18: unknown field lead.Город; write lead.custom['Город']"
    ),
    Wrong(
        "body",
        '    body: {city: "{{ lead.custom_fields }}"}',
        "10:18: unknown field lead.custom_fields; write lead.custom['Город']",
    ),
    Wrong(
        "body",
        '    body: {email: "{{ contact.email }}"}',
        "10:19: unknown variable contact; a lead's hook has none: write fetch: contacts in the route",
    ),
    Wrong(
        "body",
        '    body: {email: "{{ lead.contact.email }}"}',
        "10:19: unknown field lead.contact; write fetch: contacts in the route, and contact.name",
    ),
    Wrong(
        "to",
        '    to: console\n    once: "{{ contact.id }}"',
        "10:11: unknown variable contact; a lead's hook has none: once is known before they are looked up",
    ),
    Wrong(
        "body",
        '    body: {name: "{{ lead.name | default(“нет”) }}"}',
        "10:18: a typographic quote (“) stands within {{ … }}: write '",
    ),
    Wrong(
        "sink", "  console: {type: webhook, url: https://books.example.com}", "4:19: unknown type 'webhook', write http"
    ),
    Wrong(
        "sink",
        "  console: {type: http, url: https://books.example.com, token: x}",
        '4:57: unknown key token, write auth: {bearer: "${TOKEN}"}',
    ),
    Wrong(
        "sink",
        "  console: {type: http, url: https://books.example.com, auth: token}",
        '4:63: auth: must be a mapping, such as {bearer: "${TOKEN}"}, {basic: {username: …, '
        "password: …}} or {header: {name: …, value: …}}",
    ),
    Wrong(
        "sink",
        "  console: {type: http, url: https://books.example.com, retry: 5m}",
        "4:64: retry: must be a list, such as [5s, 1m, 15m]",
    ),
    Wrong(
        "sink",
        "  console: {type: http, url: https://bооks.example.com}",
        "4:30: url: the о (letter 2) is Cyrillic in the host bооks.example.com: write it in Latin letters",
    ),
    Wrong(
        "sink",
        "  console: {type: http, url: “https://books.example.com”}",
        '4:30: a typographic quote (“) is a part of this text, and does not quote it: write "…"',
    ),
    Wrong(
        "sink",
        "  console: {type: http, url: https://books.example.com, timеout: 5s}",
        "4:57: unknown key timеout, its е (letter 4) is Cyrillic: write timeout",
    ),
    Wrong(
        "source",
        '  acme: {type: amocrm, token: "${ACME_ТOKEN}", timezone: Europe/Moscow}',
        "2:31: the Т (letter 6) is Cyrillic in ${ACME_ТOKEN}: write it in Latin letters",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, subdomain: acme}",
        "2:48: unknown key subdomain, write account: {subdomain: acme}",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, account: acme}",
        "2:57: account: must be a mapping, such as {subdomain: acme, id: 7039099}",
    ),
    Wrong(
        "source",
        "  acme: {type: amocrm, token: acme-hook-token, ignore_users: 504141}",
        "2:62: ignore_users: must be a list, such as [504141]",
    ),
    Wrong("to", "    to:\xa0console", "9:8: a no-break space (U+00A0) stands here: remove it, or write a plain space"),
    Wrong("to", "   \xa0to: console", "9:4: a no-break space (U+00A0) stands here: remove it, or write a plain space"),
    Wrong("to", "    destination: console", "6:5: to is missing: here destination is called to"),
    Wrong(
        "on", "    on: stаtus_lead", "7:9: unknown event stаtus_lead, its а (letter 3) is Cyrillic: write status_lead"
    ),
]

WRONG = [*CONSTANTS, *UNMARKED, *VARIABLES, *VALUES, *HINTS]


def errors_in(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, file="relay.yaml", environ={}, sink_types=sink_types())
    return str(caught.value).splitlines()


def warnings_in(text: str) -> list[str]:
    found = load(text, file="relay.yaml", environ={"KEY": "of-the-vendor"}, sink_types=sink_types()).findings
    return [finding.format("relay.yaml") for finding in found]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.written.strip())
def test_a_mistake_is_told_with_what_would_be_right(wrong: Wrong) -> None:
    assert errors_in(wrong.text()) == [f"relay.yaml:{wrong.finding}"]


def test_the_frame_is_right() -> None:
    assert warnings_in(FRAME.format(**RIGHT)) == []


ROUTE = """\
sources:
  acme: {type: amocrm, token: acme-hook-token, timezone: Europe/Moscow}
sinks:
  sms: {type: smsru, api_id: "${KEY:-x}"}
  invoices: {type: moysklad, token: "${KEY:-x}", organization: 5f0f2b1e-0000-4000-8000-000000000001}
  letters: {type: unisender, api_key: "${KEY:-x}", list_ids: [1], double_optin: 3}
  ledger:
    {type: http, url: "https://ledger.example.com", lookup: {path: /x, query: {n: <n>}, id_path: id}}
routes:
"""
"""Sinks whose content must vary; the route is on line 10."""


@pytest.mark.parametrize(
    ("route", "finding"),
    [
        (
            "on: add_contact, to: sms, phone: contact.phone, text: Hello",
            """10:50: phone: 'contact.phone' is no phone number: write "{{ contact.phone }}\"""",
        ),
        (
            "on: add_lead, to: invoices, external_code: invoice, counterparty: {name: x, inn: '1'}, "
            "positions: [{service: 5f0f2b1e-0000-4000-8000-000000000002, price: 1}]",
            """10:60: external_code: 'invoice' is the same for every event, so all would be one invoice: """
            """write "{{ lead.id }}\"""",
        ),
        (
            "on: add_contact, to: letters, fields: {email: contact.email, Name: '{{ contact.name }}'}",
            """10:63: fields.email: 'contact.email' is the same for every event, so all would be one contact: """
            """write "{{ contact.email }}\"""",
        ),
        (
            "on: add_lead, to: ledger, lookup: {n: lead.id}, body: {id: '{{ lead.id }}'}",
            "10:51: lookup: {'n': 'lead.id'} is the same for every event, so all would be found as the same one",
        ),
    ],
)
def test_what_a_sink_needs_to_vary_must_vary(route: str, finding: str) -> None:
    assert errors_in(f"{ROUTE}  - {{name: one, {route}}}") == [f"relay.yaml:{finding}"]


@pytest.mark.parametrize(
    "route",
    [
        "on: add_contact, to: sms, phone: '+79161234567', text: A new contact",
        "on: add_contact, to: sms, phone: '{{ contact.phone }}', text: '{{ contact.name }}, ваш код {x.y}'",
        "on: add_contact, once: '{{ contact.email }}', to: sms, phone: '{{ contact.phone }}', text: x",
        "on: add_lead, once: '{% for t in lead.tags %}{{ t }}{% endfor %}', to: sms, phone: '89161234567', text: x",
        "on: add_lead, once: '{{ event.entity_id }}', to: ledger, lookup: {n: '{{ lead.id }}'}, body: {site: lead.ru}",
        "on: add_talk, where: {status_id: won}, to: ledger, lookup: {n: '{{ event.id }}'}, body: '{{ entity.x }}'",
        "on: update_task, where: {action_close: 1}, to: ledger, body: '{{ task.result.text }}'",
    ],
)
def test_what_is_meant_is_no_mistake(route: str) -> None:
    assert load(f"{ROUTE}  - {{name: one, {route}}}", file="f", environ={}, sink_types=sink_types()).routes


DATED = """\
sources:
  acme: {type: amocrm, token: acme-hook-token%s}
sinks:
  sms: {type: smsru, api_id: "${KEY}"%s}
templates: {}
routes:
  - {name: one, on: add_lead, to: sms, phone: "89161234567", text: "%s"}
"""
NO_ZONE = "because source acme has no timezone: write timezone: Europe/Moscow, or what it is, there"


@pytest.mark.parametrize(
    ("source", "sink", "text", "warnings"),
    [
        ("", "", "{{ lead.created_at | date }}", [f"relay.yaml:7:62: date writes UTC, {NO_ZONE}"]),
        ("", "", "{{ lead.created_at | date('%H:%M') }}", [f"relay.yaml:7:62: date writes UTC, {NO_ZONE}"]),
        ("", "", "{{ lead.created_at | date('%H:%M', 'Europe/Minsk') }}", []),
        ("", "", "{{ lead.created_at | date(timezone='Europe/Minsk') }}", []),
        (", timezone: UTC", "", "{{ lead.created_at | date }}", []),
        ("", ', window: "10:00-20:00"', "x", [f"relay.yaml:4:3: its hours are those of UTC, {NO_ZONE}"]),
        ("", ', window: "10:00-20:00", timezone: Europe/Minsk', "x", []),
    ],
)
def test_a_date_in_nobody_s_time_zone_is_warned_of(source: str, sink: str, text: str, warnings: list[str]) -> None:
    assert warnings_in(DATED % (source, sink, text)) == warnings


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16", "utf-16-le"])
def test_a_file_in_another_encoding_is_told_by_its_name(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "relay.yaml"
    path.write_bytes("a: 1\n# Источники заявок\n".encode(encoding))
    with pytest.raises(ConfigError) as caught:
        read_text(str(path))
    place, name = ("2:3", "Windows-1251") if encoding == "cp1251" else ("1:1", "UTF-16")
    assert str(caught.value) == f"{path}:{place}: the file is saved as {name}: save it as UTF-8"


def test_a_task_s_result_is_read_as_the_vendor_writes_it() -> None:
    route = """
sources: {acme: {type: amocrm, token: acme-hook-token}}
sinks: {console: {type: log}}
routes:
  - {name: one, on: update_task, to: console, body: {a: "{{ task.result.text }}", b: "{{ task.result | upper }}"}}
"""
    (route_,) = load(route, file="f", environ={}, sink_types=sink_types()).routes
    for data in ({"result": {"text": "Done", "id": "3"}}, {"result": "Done"}):
        task = View(data, FRIENDLY_FIELDS["task"])
        assert route_.content.render({"task": task}) == {"body": {"a": "Done", "b": "DONE"}}


ADDRESS = """\
sources: {acme: {type: amocrm, token: acme-hook-token}}
sinks:
  books: {type: http, url: "%s"}
routes:
  - {name: one, on: add_lead, to: books, path: "/deals", body: {id: "{{ lead.id }}"}}
"""


@pytest.mark.parametrize(
    ("url", "environ", "shown"),
    [
        ("https://hooks.example.com/${KEY}/in", {"KEY": "s3same"}, "https://hooks.example.com/***/in/deals"),
        ("https://hooks.example.com/in?to=${KEY}", {"KEY": "s3same"}, "https://hooks.example.com/in/deals?to=***"),
        ("${BASE}/${KEY}", {"BASE": "https://a.example.com/v1", "KEY": "s3same"}, "https://a.example.com/v1/***/deals"),
        (
            "${HOOK}",
            {"HOOK": "https://hooks.slack.com/services/T1/B2/0123456789abcdefghij"},
            "https://hooks.slack.com/services/T1/B2/***/deals",
        ),
        ("${BASE}/books", {"BASE": "http://127.0.0.1:8701"}, "http://127.0.0.1:8701/books/deals"),
        ("https://${HOST}/books", {"HOST": "books.example.com"}, "https://books.example.com/books/deals"),
    ],
)
def test_what_the_environment_puts_into_an_address_is_masked(url: str, environ: dict[str, str], shown: str) -> None:
    config = load(ADDRESS % url, file="f", environ=environ, sink_types=sink_types())
    sink = HttpSink("books", config.sinks["books"])
    content = sink.content({"path": "/deals", "body": {"id": "7"}})
    assert sink.describe(content)["url"] == shown
    request = Request(method="POST", url=URL("https://hooks.example.com"), headers={}, body=b"", timeout_ms=1)
    failure = TransportFailure(kind="connection", sent=False, reason="no such path: 's3same'")
    if "KEY" in environ:
        assert sink.read(request, failure, 0).reason == "no such path: '***'"


@pytest.mark.parametrize(
    ("header", "environ"),
    [
        ("{X-Access: '${KEY}'}", {"KEY": "s3same-1"}),
        ("{X-Access: 'shop ${KEY}'}", {"KEY": "s3same-1"}),
        ("{X-Access: '${KEY:-none}'}", {"KEY": "s3same-1"}),
        ("{Key: s3same-1}", {}),
        ("{Ocp-Apim-Subscription-Key: s3same-1}", {}),
    ],
)
def test_a_header_is_hidden_by_its_name_or_because_the_environment_is_in_it(
    header: str, environ: dict[str, str]
) -> None:
    text = ADDRESS % "https://books.example.com"
    text = text.replace("{type: http,", "{type: http, headers: {X-Shop: shop-of-anna, " + header[1:] + ",")
    settings = load(text, file="f", environ=environ, sink_types=sink_types()).sinks["books"]
    assert "s3same-1" in settings.hidden_values()
    assert "shop-of-anna" not in settings.hidden_values()
    sink = HttpSink("books", settings)
    shown = sink.describe(sink.content({"path": "/deals", "body": {"id": "7"}}))["headers"]
    assert shown["X-Shop"] == "shop-of-anna"
    assert "s3same" not in str(shown)
    request = Request(method="POST", url=URL("https://books.example.com"), headers={}, body=b"", timeout_ms=1)
    said = Response(status=400, headers={}, body=b"the key s3same-1 of shop-of-anna")
    assert sink.read(request, said, 0).response == "the key *** of shop-of-anna"


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("MSK", ["MST", "UTC"], None),  # three letters, and another zone
        ("143", ["142"], None),
        ("lead_status", ["add_task", "status_lead"], None),
        ("lead.pipeline_id", ["old_pipeline_id"], None),
        ("created_at", ["updated_at"], None),
        ("c", ["a"], None),
        ("staus_lead", ["status_lead", "add_lead"], "status_lead"),
        ("pirce", ["price", "pipeline_id"], "price"),
        ("amo", ["amocrm"], "amocrm"),
        ("PRICE", ["price"], "price"),
    ],
)
def test_a_name_is_suggested_only_where_it_is_certainly_meant(name: str, known: list[str], meant: str | None) -> None:
    assert nearest_name(name, known) == meant


@given(name=st.text(max_size=12), known=st.lists(st.text(max_size=12), max_size=5))
def test_what_is_suggested_is_known(name: str, known: list[str]) -> None:
    assert nearest_name(name, known) in [None, *known]


@given(hours=st.integers(2, 12), spelling=st.sampled_from(["UTC+{}", "GMT+{}", "+{:02}:00", "+{}", "utc +{}"]))
def test_an_offset_is_answered_with_a_zone_that_has_it(hours: int, spelling: str) -> None:
    (zone,) = re.findall(r"write (\S+)", suggest_timezone(spelling.format(hours)))
    assert ZoneInfo(zone).utcoffset(datetime(2026, 7, 1)) == timedelta(hours=hours)
