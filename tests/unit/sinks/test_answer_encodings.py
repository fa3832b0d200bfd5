"""Every reader of answers takes a byte order mark and a declared charset, and says of a page that it cannot be read."""

import json

import pytest
from multidict import CIMultiDict
from scripted_vendor import Vendor

from relay.accounts.answers import parse_account_answer
from relay.errors import AccountUnavailable
from relay.model import Outcome
from relay.sinks.http.sink import HttpSink
from relay.sinks.moysklad.answers import is_not_unique
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import json_object
from relay.sinks.sms.http_gateway import HttpGateway, HttpGatewaySettings
from relay.sinks.unisender.answers import parse_answer
from relay.transport import Response

MESSAGE = Message(id="d-1", phone="+79161234567", text="Заказ готов", sender="")
PAGE = "it is a page (HTML or XML), no JSON"


def write(content: object, encoding: str, status: int = 200) -> Response:
    charset = "; charset=windows-1251" if encoding == "windows-1251" else ""
    headers = CIMultiDict({"Content-Type": f"application/json{charset}"})
    body = content.encode() if isinstance(content, str) else json.dumps(content, ensure_ascii=False).encode(encoding)
    return Response(status=status, headers=headers, body=body)


@pytest.fixture
def vendor(monkeypatch) -> Vendor:
    return Vendor(monkeypatch)


@pytest.fixture
def send(vendor, delivery):
    """Send something by an HTTP sink to a vendor that gives these answers."""

    def send(*answers, params=None, **settings):
        http = HttpSink("books", HttpSink.Settings(**{"type": "http", "url": "https://1c.example.com/", **settings}))
        content = http.content({"body": {"n": 1}, **(params or {})})
        return vendor.run(lambda tools: http.send(delivery(content), tools), *answers)

    return send


@pytest.mark.parametrize("encoding", ["utf-8-sig", "windows-1251", "utf-16"])
class TestRead:
    def test_by_the_checks_of_an_http_sink(self, send, encoding):
        answer = write({"Результат": "Принято", "Номер": "С-17"}, encoding)
        result = send(answer, success_if={"json": {"Результат": "Принято"}}, id_path="Номер")
        assert (result.outcome, result.provider_id) == (Outcome.DELIVERED, "С-17")
        assert "Принято" in result.response

    def test_by_its_look_ups_and_what_they_create(self, send, encoding):
        need = {
            "lookup": {"path": "/find", "query": {"name": "<name>"}, "id_path": "items.0.id"},
            "create": {"path": "/new", "body": {"name": "<name>"}, "id_path": "id"},
        }
        params = {"needs": {"customer": {"name": "Анна"}}, "body": {"customer": "<customer>"}}
        missing, made = write({"items": [], "имя": "Анна"}, encoding), write({"id": "К-1"}, encoding, 201)
        assert send(missing, made, write({}, encoding), params=params, needs={"customer": need}).outcome == "delivered"

    def test_by_its_tokens(self, send, encoding):
        auth = {"oauth2": {"token_url": "https://id.example.com/", "client_id": "relay", "client_secret": "s"}}
        token = write({"access_token": "t-1", "имя": "Анна"}, encoding)
        assert send(token, write({}, encoding), auth=auth).outcome is Outcome.DELIVERED

    def test_by_the_checks_of_an_sms_gateway(self, encoding):
        settings = {"type": "sms", "url": "https://sms.example.com/", "form": {"to": "{{ sms.phone }}"}}
        checks = {"success_if": {"json": {"итог": "да"}}, "id_path": "код"}
        gateway = HttpGateway(HttpGatewaySettings.model_validate({**settings, **checks}))
        result = gateway.read(write({"итог": "да", "код": 7}, encoding), MESSAGE, 0)
        assert (result.outcome, result.provider_id) == (Outcome.DELIVERED, "7")

    def test_by_smsc_and_smsru(self, encoding):
        assert json_object(write({"error": "нет денег"}, encoding)) == {"error": "нет денег"}

    def test_by_unisender(self, encoding):
        assert parse_answer(write({"result": {"имя": "Анна"}}, encoding)) == {"имя": "Анна"}

    def test_by_moysklad(self, encoding):
        assert is_not_unique(write({"errors": [{"code": 3006, "error": "не уникально"}]}, encoding, 412))

    def test_by_accounts(self, encoding):
        assert parse_account_answer("GET /", write({"name": "Анна"}, encoding)) == {"name": "Анна"}


class TestUnreadable:
    """A page of a proxy with status 200 is said to be one."""

    def test_to_the_checks_of_an_http_sink(self, send):
        result = send(write("<html>", "utf-8"), success_if={"json": {"id": {"exists": True}}}, idempotency_key=False)
        assert (result.outcome, result.reason) == (
            Outcome.UNKNOWN, f"200 OK, but the answer cannot be read: {PAGE}",
        )  # fmt: skip

    def test_but_not_where_no_check_asks_for_json(self, send):
        result = send(write("<html>", "utf-8"), success_if={"status": 201})
        assert result.reason == "200 OK, but success_if does not hold"

    def test_to_look_ups(self, send):
        lookup = {"path": "/find", "query": {"n": "<n>"}, "id_path": "id"}
        result = send(write("<html>", "utf-8"), params={"lookup": {"n": 1}}, lookup=lookup, lookup_first=True)
        assert result.reason == f"the look-up failed: the answer cannot be read: {PAGE}"

    def test_but_not_to_one_that_looks_at_the_text(self, send):
        lookup = {"path": "/find", "query": {"n": "<n>"}, "found_if": {"text": "YES"}}
        result = send(write("YES", "utf-8"), params={"lookup": {"n": 1}}, lookup=lookup, lookup_first=True)
        assert (result.outcome, result.reason) == (Outcome.DELIVERED, "looked up: it is there")

    def test_to_what_is_created(self, send):
        need = {
            "lookup": {"path": "/find", "query": {"n": "<n>"}, "id_path": "id"},
            "create": {"path": "/", "id_path": "id"},
        }
        params = {"needs": {"customer": {"n": 1}}, "body": {"customer": "<customer>"}}
        result = send(write({}, "utf-8"), write("<html>", "utf-8", 201), params=params, needs={"customer": need})
        assert result.reason == f"needs.customer: created, but the answer cannot be read: {PAGE}"

    def test_to_the_checks_of_an_sms_gateway(self):
        settings = {"type": "sms", "url": "https://sms.example.com/", "form": {"to": "{{ sms.phone }}"}}
        gateway = HttpGateway(HttpGatewaySettings.model_validate({**settings, "success_if": {"json": {"ok": True}}}))
        result = gateway.read(write("<html>", "utf-8"), MESSAGE, 0)
        assert (result.outcome, result.reason) == (Outcome.UNKNOWN, f"200: the answer cannot be read: {PAGE}")

    def test_to_unisender(self):
        assert parse_answer(write("<html>", "utf-8")).reason == f"200: the answer cannot be read: {PAGE}"
        assert parse_answer(write({"odd": 1}, "utf-8")).reason == "200: not UniSender's answer"

    def test_to_accounts(self):
        with pytest.raises(AccountUnavailable, match="amoCRM's answer cannot be read: it is a page"):
            parse_account_answer("GET /", write("<html>", "utf-8"))
        with pytest.raises(AccountUnavailable, match="it is no JSON object"):
            parse_account_answer("GET /", write([], "utf-8"))
