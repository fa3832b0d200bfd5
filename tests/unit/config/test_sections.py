"""Sources, sinks, tables and settings: the message of each mistake, by line:column."""

from collections.abc import Callable

import pytest

Errors = Callable[..., list[str]]
Load = Callable[..., object]

NO_SIZE = "is not a size: write a whole number and B, KiB or MiB, such as 1MiB"
SOURCE = "sources: {acme: {type: amocrm, token: long-enough}}\n"


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("", ["1:1: sources is missing: name at least one, with its type and token"]),
        (
            "- a",
            [
                "1:1: sources is missing: name at least one, with its type and token",
                "1:1: the file must be a mapping with the keys sources, sinks, tables, templates, routes, api_users, "
                "ingress, retention, worker, subscribers, facts, include",
            ],
        ),
        ("sources:\nsinks: {}", ["1:1: sources is missing: name at least one, with its type and token"]),
        (f"{SOURCE}sink: {{}}", ["2:1: unknown key sink, did you mean sinks?"]),
        (f"{SOURCE}api_users: {{}}", ["2:12: api_users: must be a list, each user begins with - login:"]),
        (f"{SOURCE}routes: {{}}", ["2:9: routes: must be a list, each route begins with - name:"]),
        (f"{SOURCE}sinks: [a]", ["2:8: sinks: must be a mapping, such as console: {type: log}"]),
    ],
)
def test_the_sections_themselves(errors_in: Errors, text: str, findings: list[str]) -> None:
    assert errors_in(text) == findings


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("acme: 5", '2:9: acme: must be a mapping, such as {type: amocrm, token: "${ACME_HOOK_TOKEN}"}'),
        ("acme: {type: amocrm}", "2:3: token is missing"),
        ("acme: {token: long-enough}", "2:3: type is missing"),
        ("acme: {type: amo, token: long-enough}", "2:16: type: 'amo' is unknown, did you mean amocrm?"),
        ("acme: {type: amocrm, token: }", "2:30: token: is empty: write a value, or remove the key"),
        ("acme: {type: amocrm, token: 12345678}", "2:31: token: must be a text: quote it"),
        (
            "acme: {type: amocrm, token: a/b}",
            "2:31: token: it is part of the hook's address: 1 to 256 of A-Z a-z 0-9 - . _ ~ are possible",
        ),
        ("acme: {type: amocrm, token: long-enough, tokn: x}", "2:44: unknown key tokn, did you mean token?"),
        (
            "acme: {type: amocrm, token: long-enough, account: {subdomian: x}}",
            "2:54: unknown key subdomian, did you mean subdomain?",
        ),
        ("acme: {type: amocrm, token: long-enough, account: {id: [7]}}", "2:58: id: must be a text"),
        (
            "acme: {type: amocrm, token: long-enough, ignore_users: 7}",
            "2:58: ignore_users: must be a list, such as [504141]",
        ),
        (
            "acme: {type: amocrm, token: long-enough, timezone: Europe/Moskow}",
            "2:54: timezone: 'Europe/Moskow' is not a time zone, did you mean Europe/Moscow?",
        ),
        (
            "acme: {type: amocrm, token: long-enough, timezone: ../passwd}",
            "2:54: timezone: '../passwd' is not a time zone, write it as Europe/Moscow or UTC",
        ),
        (
            "acme: {type: amocrm, token: long-enough, share: 0.5}",
            "2:51: share: 0.5 is written as a percentage here: write 50%",
        ),
        ("acme: {type: amocrm, token: long-enough, share: 0%}", "2:51: share: must be greater than 0"),
        (
            "acme: {type: amocrm, token: long-enough, share: 101%}",
            "2:51: share: '101%' is not a share: write a percentage up to 100%, such as 50%",
        ),
        (
            "Acme: {type: amocrm, token: long-enough}",
            "2:3: 'Acme' cannot be a name: use a-z, 0-9, - and _, at most 63 characters",
        ),
    ],
)
def test_a_source(errors_in: Errors, source: str, finding: str) -> None:
    assert errors_in(f"sources:\n  {source}\n") == [finding]


@pytest.mark.parametrize(
    ("sink", "finding"),
    [
        ("sms: 5", "3:8: sms: must be a mapping, such as {type: log}"),
        ("sms: {rate: 4/s}", "3:3: type is missing, known: post, text"),
        ("sms: {type: txt}", "3:15: unknown type 'txt', did you mean text?"),
        ("sms: {type: text, rat: 4/s}", "3:21: unknown key rat, did you mean rate?"),
        (
            "sms: {type: text, rate: fast}",
            "3:27: rate: 'fast' is not a rate: write how many per how long, such as 4/s, 15/3s or 300/1m",
        ),
        ("sms: {type: text, timeout: 99s}", "3:30: timeout: 99s is not possible: more than 0 and at most 20s"),
        ("sms: {type: text, concurrency: 0}", "3:34: concurrency: must be greater than or equal to 1"),
        ("sms: {type: text, retry: 5m}", "3:28: retry: must be a list, such as [5s, 1m, 15m]"),
        ("sms: {type: text, on_unknown: wait}", "3:33: on_unknown: 'wait' is unknown, known: hold, lookup, retry"),
        ("books: {type: post}", "3:3: url is missing"),
        (
            "books: {type: post, url: x, account: {login: y, pasword: z, password: q}}",
            "3:51: unknown key pasword, did you mean password?",
        ),
        (
            "Books: {type: text}",
            "3:3: 'Books' cannot be a name: use a-z, 0-9, - and _, at most 63 characters",
        ),
    ],
)
def test_a_sink(errors_in: Errors, sink: str, finding: str) -> None:
    assert errors_in(f"{SOURCE}sinks:\n  {sink}\n") == [finding]


@pytest.mark.parametrize(
    ("section", "finding"),
    [
        ("tables: {managers: 5}", '2:20: managers: must be a mapping, such as {102525: "+79161234567"}'),
        ("tables: {managers: {1: [x]}}", "2:24: 1: must be a text"),
        ("tables: {managers: {1: 0.5}}", "2:24: 1: must be a text: quote it"),
        ("retention: {finished: 7}", "2:23: finished: 7 has no unit: write 7s, 7m, 7h, 7d or 7ms"),
        ("retention: {count: many}", "2:20: count: must be a whole number"),
        (
            "retention: {dead_share: 20}",
            "2:25: dead_share: 20 is not a share: write a percentage up to 100%, such as 50%",
        ),
        ("retention: {dead: 0s}", "2:19: dead: must be greater than or equal to 1000"),
        ("worker: {bach: 5}", "2:10: unknown key bach, did you mean batch?"),
        ("ingress: {max_body: big}", f"2:21: max_body: 'big' {NO_SIZE}"),
        ("ingress: {max_body: 1GiB}", f"2:21: max_body: '1GiB' {NO_SIZE}"),
        ("ingress: {max_body: 64MiB}", "2:21: max_body: must be less than or equal to 16777216"),
    ],
)
def test_tables_and_settings(errors_in: Errors, section: str, finding: str) -> None:
    assert errors_in(SOURCE + section) == [finding]


def test_one_mistake_hides_no_other(errors_in: Errors) -> None:
    text = """\
sources:
  acme: {type: amocrm}
  beta: {type: amocrm, token: 79161234567}
sinks:
  sms: {type: txt}
routes:
  - name: one
    source: acme
    on: status_leed
    to: sms
    phone: "1"
    text: "{{ lead.nam }}"
  - name: two
    on: status_lead
    where: {prise: 1}
    to: sms
retention: {finished: 7}
"""
    assert [finding.split(": ")[0] for finding in errors_in(text)] == ["2:3", "3:31", "5:15", "9:9", "15:13", "17:23"]
