"""The fakes of SMS gateways do what makes the real ones hard."""

import dataclasses
from urllib.parse import quote_from_bytes, urlencode

import pytest

from relay.sandbox.vendors import make_vendor
from relay.sandbox.vendors.base import VendorRequest
from relay.sandbox.vendors.smsc import GUARD_SECONDS, FakeSmsc
from relay.sandbox.vendors.smsru import REPEATED_SECONDS, FakeSmsru
from relay.sandbox.vendors.textsms import FakeTextGateway

ACCOUNT = {"login": "acme", "psw": "secret"}


@dataclasses.dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def post(vendor, path: str, body: bytes | None = None, **form):
    sent = urlencode(form).encode() if body is None else body
    arrived = VendorRequest(vendor=vendor.name, method="POST", path=path, query="", headers={}, body=sent)
    return vendor.answer(arrived).content


def text(vendor, **more):
    form = {**ACCOUNT, "phones": "+79161234567", "mes": "Заказ", "charset": "utf-8", "fmt": "3", "cost": "3"}
    return post(vendor, "/sys/send.php", **{**form, **more})


def test_smsc_reads_windows_1251_unless_it_is_told_another_charset(clock):
    smsc = FakeSmsc("smsc", clock)
    text(smsc)
    plain = b"login=acme&psw=s&phones=%2B79161234567&mes=" + quote_from_bytes("Заказ".encode("cp1251")).encode()
    post(smsc, "/sys/send.php", plain)
    post(smsc, "/sys/send.php", urlencode({**ACCOUNT, "phones": "+79161234567", "mes": "Заказ"}).encode())
    assert [sent.text for sent in smsc.texts] == ["Заказ", "Заказ", "Р—Р°РєР°Р·"]


def test_smsc_counts_money_in_texts(clock):
    answer = text(FakeSmsc("smsc", clock), id="ours", mes="я" * 71)
    assert answer == {"id": "ours", "cnt": 2, "cost": "4.80", "balance": "995.20"}


def test_smsc_refuses_an_identical_request_for_a_minute_and_takes_the_same_id_again(clock):
    smsc = FakeSmsc("smsc", clock)
    text(smsc, id="ours")
    assert text(smsc, id="ours") == {"error": "duplicate request, wait a minute", "error_code": 9}
    assert text(smsc, id="ours", mes="Другое")["id"] == "ours"
    clock.now = GUARD_SECONDS
    assert text(smsc, id="ours")["id"] == "ours"
    assert [sent.id for sent in smsc.texts] == ["ours"] * 3


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"psw": "wrong"}, 2),
        ({"login": ""}, 2),
        ({"login": "poor"}, 3),
        ({"mes": ""}, 1),
        ({"mes": "a" * 1001}, 1),
        ({"id": "x" * 41}, 1),
        ({"mes": "запрещено"}, 6),
        ({"phones": "123"}, 7),
    ],
)
def test_smsc_says_errors_inside_200(clock, form, code):
    smsc = FakeSmsc("smsc", clock)
    assert text(smsc, **form)["error_code"] == code
    assert smsc.texts == []


def test_smsc_has_a_second_nine(clock):
    smsc = FakeSmsc("smsc", clock)
    smsc.busy = 1
    assert text(smsc) == {"error": "too many concurrent requests", "error_code": 9}
    assert "id" in text(smsc)


def test_smsc_finds_a_text_by_id_and_number(clock):
    smsc = FakeSmsc("smsc", clock)
    text(smsc, id="ours")
    asked = {**ACCOUNT, "phone": "+79161234567", "id": "ours"}
    assert post(smsc, "/sys/status.php", **asked)["status"] == 1
    smsc.statuses["ours"] = 24
    assert post(smsc, "/sys/status.php", **asked)["status"] == 24
    assert post(smsc, "/sys/status.php", **{**asked, "id": "another"}) == {"status": -3}
    assert post(smsc, "/sys/balance.php", **ACCOUNT) == {"balance": "997.60"}


def test_smsru_refuses_a_number_under_a_top_level_ok(clock):
    smsru = FakeSmsru("smsru", clock)
    answer = post(smsru, "/sms/send", api_id="k", to="79161230000", msg="a", json="1")
    assert (answer["status"], answer["sms"]["79161230000"]["status_code"]) == ("OK", 202)
    assert smsru.texts == []


def test_smsru_refuses_the_same_text_to_the_same_number_for_a_minute(clock):
    smsru = FakeSmsru("smsru", clock)

    def code(msg: str) -> int:
        answer = post(smsru, "/sms/send", api_id="k", to="79161234567", msg=msg, json="1")
        return answer["sms"]["79161234567"]["status_code"]

    assert [code("a"), code("a"), code("b")] == [100, 231, 100]
    clock.now = REPEATED_SECONDS
    assert code("a") == 100


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("/sms/send", {"api_id": "wrong", "to": "79161234567", "msg": "a"}, 200),
        ("/sms/send", {"api_id": "k", "to": "79161234567"}, 203),
        ("/sms/nothing", {"api_id": "k"}, 211),
        ("/my/balance", {"api_id": "k"}, 100),
    ],
)
def test_smsru_has_a_code_for_the_request_too(clock, path, form, code):
    assert post(FakeSmsru("smsru", clock), path, **form)["status_code"] == code


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"key": "k", "to": "+79161234567", "text": "Заказ"}, "OK:1"),
        ({"key": "k", "to": "123"}, "ERROR:14 неверный номер"),
        ({"key": "wrong", "to": "79161234567"}, "ERROR:2 неверный ключ"),
        ({}, "ERROR:2 неверный ключ"),
    ],
)
def test_the_old_one_says_everything_in_plain_text(form, said):
    assert bytes(post(FakeTextGateway("textsms"), "/send", **form)).decode("windows-1251") == f"{said}\r\n"


def test_the_sandbox_has_them_under_their_names():
    assert isinstance(make_vendor("smsc"), FakeSmsc)
    assert isinstance(make_vendor("smsru"), FakeSmsru)
    assert isinstance(make_vendor("textsms"), FakeTextGateway)
