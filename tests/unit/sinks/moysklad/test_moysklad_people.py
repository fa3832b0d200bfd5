"""A counterparty is found by every spelling of a phone and of an e-mail, and no other is taken for it."""

import json
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_vendor import Vendor, response

from relay.model import Outcome
from relay.sandbox.vendors.base import VendorRequest
from relay.sandbox.vendors.moysklad import FakeMoySklad
from relay.sinks.moysklad.people import MOST_FOUND, PAGE, canonical_phone, phone_digits
from relay.sinks.moysklad.sink import MoySkladSink

POSITIONS = [{"service": "5f0f2b1e-0000-4000-8000-000000000002", "price": 100}]
SPELLINGS = [
    "+79161234567", "79161234567", "89161234567", "9161234567", "+7 (916) 123-45-67", "8 (916) 123-45-67",
    "8 916 123 45 67", "8-916-123-45-67", "+7.916.123.45.67", "8(916)1234567", "8 916 12-34-567", "+7 916 123–45–67",
    "+7\u00a0916\u00a0123\u00a045\u00a067", " 8 916 123 4567",
]  # fmt: skip


class Real(Vendor):
    """The sandbox's vendor behind the sink, as if over the network."""

    def __init__(self, monkeypatch) -> None:
        super().__init__(monkeypatch)
        self.fake = FakeMoySklad("moysklad")
        self.asked: list[str] = []

    async def _call(self, session, request):
        self.requests.append(request)
        self.asked.append(request.url.query.get("filter", request.method))
        path = request.url.path.removeprefix("/api/remap/1.2")
        return self.call(request.method, path, request.url.query, request.body)

    def call(self, method, path, query=(), body=b""):
        headers = {"accept-encoding": "gzip", "authorization": "Bearer a-token"}
        asked = VendorRequest(
            vendor="moysklad", method=method, path=path, query=urlencode(query), headers=headers, body=body
        )
        answer = self.fake._respond(asked)
        return response(answer.status, msgspec.json.encode(answer.content))

    def has(self, **fields) -> str:
        """Add a counterparty; return its address."""
        body = json.dumps({"name": "Анна", **fields}).encode()
        return json.loads(self.call("POST", "/entity/counterparty", body=body).body)["meta"]["href"]


@pytest.fixture
def real(monkeypatch) -> Real:
    return Real(monkeypatch)


@pytest.fixture
def send(delivery):
    """Send an invoice for a counterparty; return the result and whom the invoice is for."""

    def send(vendor, **counterparty):
        sink = MoySkladSink("moysklad", MoySkladSink.Settings(
            type="moysklad", token="a-token", organization="5f0f2b1e-0000-4000-8000-000000000001"
        ))  # fmt: skip
        params = {"external_code": "amo-1", "counterparty": {"name": "Анна", **counterparty}, "positions": POSITIONS}
        held = delivery(sink.content(params))
        result = vendor.run(lambda tools: sink.send(held, tools))
        body = json.loads(vendor.requests[-1].body or b"{}")
        return result, body.get("agent", {}).get("meta", {}).get("href")

    return send


@pytest.mark.parametrize("there", SPELLINGS)
@pytest.mark.parametrize("given_", ["+79161234567", "8 (916) 123-45-67"])
def test_a_phone_is_found_under_every_spelling(real, send, there, given_):
    real.has(phone="+7 916 765-43-67")  # ends with the same digits
    anna = real.has(phone=there)
    assert send(real, phone=given_)[1] == anna


@pytest.mark.parametrize(
    "there", ["anna@example.com", "Anna@example.com", "Anna@Example.com", "ANNA@EXAMPLE.COM", " anna@example.com "]
)
@pytest.mark.parametrize("given_", ["anna@example.com", "Anna@Example.COM"])
def test_an_email_is_found_under_every_spelling(real, send, there, given_):
    real.has(email="hanna@example.com")  # contains it
    anna = real.has(email=there)
    assert send(real, email=given_)[1] == anna


def test_who_is_not_there_is_made_with_one_spelling(real, send):
    real.has(phone="+7 916 765-43-67", email="hanna@example.com")
    result, made = send(real, phone="8 (916) 123-45-67", email="Anna@Example.com")
    assert result.outcome is Outcome.DELIVERED
    assert real.asked[-2:] == ["POST", "POST"]
    (row,) = json.loads(real.call("GET", "/entity/counterparty", {"filter": "phone=+79161234567"}).body)["rows"]
    assert (row["meta"]["href"], row["email"]) == (made, "anna@example.com")


def test_of_two_who_have_one_number_none_is_guessed(real, send):
    real.has(phone="+79161234567")
    real.has(phone="8 916 123-45-67", name="Борис")
    result, _ = send(real, phone="89161234567")
    assert (result.outcome, result.reason) == (
        Outcome.REJECTED, "needs.agent: there are several of it there: which one is meant?",
    )  # fmt: skip


def test_the_pages_behind_the_first_are_read(real, send):
    for n in range(PAGE + 5):
        real.has(phone=f"+7916{n:05}67")
    anna = real.has(phone="8 (926) 123-45-67")
    assert send(real, phone="+79261234567")[1] == anna
    assert real.asked[:2] == ["phone=~67"] * 2


def test_a_base_that_is_too_large_to_search_says_what_to_do(real, send):
    for n in range(MOST_FOUND):
        real.has(phone=f"+7916{n:05}67")
    result, _ = send(real, phone="+79261234567")
    assert result.outcome is Outcome.REJECTED
    assert result.reason == (
        "needs.agent: more than 2000 counterparties fit phone=~67: give an inn or external_code of the counterparty"
    )


@pytest.mark.parametrize("reply", [(503, b""), (200, b"<html>")])
def test_a_search_that_fails_makes_nobody(monkeypatch, send, reply):
    vendor = Vendor(monkeypatch)
    vendor.answers.append(reply)
    result, _ = send(vendor, phone="+79161234567")
    assert result.outcome in (Outcome.THROTTLED, Outcome.RETRY)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("text", "digits", "canonical"),
    [
        *[(text, "79161234567", "+79161234567") for text in SPELLINGS],
        ("+375 29 123-45-67", "375291234567", "+375291234567"),
        ("80 29 123-45-67", "375291234567", "+375291234567"),
        ("375291234567", "375291234567", "+375291234567"),
        ("067 123 45 67", "380671234567", "+380671234567"),
        ("8 701 123 45 67", "77011234567", "+77011234567"),
        ("0044 20 7946 0958", "442079460958", "+442079460958"),
        ("+372 612 3456", "3726123456", "+3726123456"),
        ("8 916 123-45-67 доб. 12", "79161234567", "8 916 123-45-67 доб. 12"),
        ("123-45-67", "1234567", "123-45-67"),
        ("1", "1", "1"),
        ("нет", "", "нет"),
    ],
)
def test_a_number_has_one_spelling(text, digits, canonical):
    assert (phone_digits(text), canonical_phone(text)) == (digits, canonical)


@given(
    st.from_regex(r"[3-9]\d{9}", fullmatch=True),
    st.sampled_from(["+7", "8", "7", "", "+7 ", "8 ", "(", "8 (", "+7 ("]),
    st.lists(st.sampled_from(["", "", " ", "-", ") ", ".", "\u00a0", "–"]), min_size=9, max_size=9),
)
def test_however_it_is_written_it_is_one_number_and_ends_with_its_last_two_digits(national, prefix, separators):
    separators[-1] = ""  # the last two stand together
    text = prefix + national[0] + "".join(a + b for a, b in zip(separators, national[1:], strict=True))
    assert (phone_digits(text), text[-2:]) == (f"7{national}", national[-2:])
