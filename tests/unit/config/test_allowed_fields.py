"""What a sink allows to be sent to it: another field is an error, with its line and column."""

import pytest

from relay.config.load import load
from relay.errors import ConfigError
from relay.sinks.registry import sink_types

CONFIG = """\
sources: {{acme: {{type: amocrm, token: a-token-of-sixteen, account: {{subdomain: acme}}, api: {{token: of-the-api}}}}}}
sinks:
  books:
    type: http
    url: https://books.example.com
    idempotency: honoured
    allowed_fields: [{allowed}]
templates:
  invoice: {{id: "{{{{ lead.id }}}}", price: "{{{{ lead.price }}}}"}}
routes:
  - name: all
    on: add_lead
    to: books
    fetch: contacts
    body: {body}
"""


def load_with(allowed: str, body: str):
    return load(CONFIG.format(allowed=allowed, body=body), file="relay.yaml", environ={}, sink_types=sink_types())


def errors(allowed: str, body: str) -> str:
    with pytest.raises(ConfigError) as found:
        load_with(allowed, body)
    return str(found.value)


@pytest.mark.parametrize(
    ("allowed", "body"),
    [
        ("lead.id, lead.price", '{id: "{{ lead.id }}", sum: "{{ lead.price | int }}"}'),
        ("lead", '{id: "{{ lead.id }}", all: "{{ lead.name }}"}'),
        ("lead.id, lead.price", "invoice"),
        (
            "contact.phone",
            '{to: "{% for one in contacts %}{{ one.phone }}{% endfor %}", first: "{{ contacts[0].phone }}"}',
        ),
        ("contact.custom.Город", "{town: \"{{ contact.custom['Город'] }}\"}"),
        ("contact.custom", "{town: \"{{ contact.custom['Город'] }}\"}"),
        ("lead.id", '{event: "{{ event.name }}", of: "{{ account.subdomain }}", id: "{{ lead.id }}"}'),
        ("lead.id", '{id: "{% set id = lead.id %}{{ id }}"}'),
        ("", "{text: hello}"),
    ],
)
def test_what_is_allowed_is_sent(allowed: str, body: str) -> None:
    assert load_with(allowed, body).sinks["books"].allowed_fields is not None


@pytest.mark.parametrize(
    ("allowed", "body", "field", "column"),
    [
        ("lead.id", '{id: "{{ lead.id }}", sum: "{{ lead.price }}"}', "lead.price", 38),
        ("contact.phone", '{to: "{{ contact.phone }} {{ contact.email }}"}', "contact.email", 16),
        ("contact.phone", '{to: "{% for one in contacts %}{{ one.email }}{% endfor %}"}', "contact.email", 16),
        ("lead.id", '{id: "{{ lead }}"}', "all of lead", 16),
        ("lead.id", '{id: "{% set l = lead %}{{ l.name }}"}', "all of lead", 16),
        ("lead.id", "{town: \"{{ lead.custom['Город'] }}\"}", "lead.custom.Город", 18),
        ("lead.custom.Город", "{town: \"{{ lead.custom['Адрес'] }}\"}", "lead.custom.Адрес", 18),
        ("lead.id", "{town: \"{{ lead.get('price') }}\"}", "lead.price", 18),
        ("", '{id: "{{ lead.id }}"}', "lead.id", 16),
    ],
)
def test_another_field_is_an_error_at_its_place(allowed: str, body: str, field: str, column: int) -> None:
    said = errors(allowed, body)
    assert f"relay.yaml:15:{column}: route all sends {field} to books" in said


def test_a_template_with_a_name_is_checked_where_it_is_written() -> None:
    assert "relay.yaml:9:" in errors("lead.id", "invoice")


@pytest.mark.parametrize(
    ("allowed", "said"),
    [("leed.id", "there is no view leed"), ("lead.prise", "lead has no field prise, did you mean price?")],
)
def test_what_no_view_has_cannot_be_allowed(allowed: str, said: str) -> None:
    assert said in errors(allowed, "{text: hello}")
