"""What is not a subscription is refused in the format of the API's version, and nothing changes."""

import time

import pytest

APP = "https://app.example.com/hook"
V1, V2, V4 = "/private/api/v2/json/webhooks/subscribe", "/api/v2/webhooks/subscribe", "/api/v4/webhooks"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def refused_by_v1(answer) -> str:
    assert answer.headers["content-type"] == "application/json"
    response = answer.json()["response"]
    assert response.keys() == {"error", "error_code", "server_time"}
    assert response["error_code"] == answer.status_code
    return response["error"]


def refused_by_v2(answer) -> str:
    assert abs(int(answer.headers["runtime-timestamp"]) - time.time()) < 60
    return refused_by_v4(answer)


def refused_by_v4(answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"title", "type", "status", "detail", "validation-errors"}
    assert problem["status"] == answer.status_code
    for found in problem["validation-errors"]:
        assert found.keys() == {"request_id", "errors"}
        assert all(error.keys() == {"code", "path", "detail"} for error in found["errors"])
    return problem["detail"]


REFUSED = {V1: refused_by_v1, V2: refused_by_v2, V4: refused_by_v4}


@pytest.mark.parametrize("path", [V1, V2, V4])
@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        ('{"subscribe": [', JSON, "the body is not JSON"),
        ("", JSON, "the body is not JSON"),
        (b'{"subscribe": "\xff"}', JSON, "the body is not JSON"),
        ('{"subscribe": "\\ud800"}', JSON, "the body is not JSON"),
        ("[" * 100_000, JSON, "the body is not JSON"),
        ("[]", JSON, "the body: must be an object, not a list"),
        ("null", JSON, "the body: must be an object, not null"),
        ("7", JSON, "the body: must be an object, not a number"),
        ('"text"', JSON, "the body: must be an object, not a text"),
        ("{}", JSON, "is missing"),
        ("<xml/>", {"Content-Type": "text/xml"}, "Content-Type is text/xml, possible is application/json"),
        ("a", {"Content-Type": "text/plain; charset=x"}, "Content-Type is text/plain, possible is application"),
    ],
)  # fmt: skip
def test_broken_bodies_and_other_content_types(api, path, body, headers, message):
    answer = api("POST", path, data=body, headers=headers)
    assert answer.status_code == 400
    assert message in REFUSED[path](answer)
    assert api.records() == []


@pytest.mark.parametrize("path", [V1, V2, V4])
def test_a_body_that_is_too_large(api, path):
    answer = api("POST", path, data=b" " * (512 * 1024 + 1), headers=JSON)
    assert answer.status_code == 413
    assert "524288 bytes" in REFUSED[path](answer)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"url": APP}, "subscribe.1.events: is missing"),
        ({"events": ["add_lead"]}, "subscribe.1.url: is missing"),
        ({"url": APP, "events": []}, "subscribe.1.events: 0 events, 1 to 100 are possible"),
        ({"url": "", "events": ["add_lead"]}, "subscribe.1.url: is empty"),
        ({"url": APP, "events": "add_lead"}, "subscribe.1.events: must be a list, not a text"),
        ({"url": APP, "events": {"a": "add_lead"}}, "subscribe.1.events: must be a list, not an object"),
        ({"url": APP, "events": ["add_lead"] * 10_000}, "subscribe.1.events: 10,000 events, 1 to 100 are possible"),
        ({"url": APP, "events": ["add_lead", 7]}, "subscribe.1.events.1: must be a text, not a number"),
        ({"url": APP, "events": [None]}, "subscribe.1.events.0: must be a text, not null"),
        ({"url": 7, "events": ["add_lead"]}, "subscribe.1.url: must be a text, not a number"),
        ({"url": [APP], "events": ["add_lead"]}, "subscribe.1.url: must be a text, not a list"),
        ({"url": APP, "events": ["add_lead"], "name": True}, "subscribe.1.name: must be a text, not true or false"),
        ({"url": APP, "events": ["add_lead"], "name": "a\nb"}, "subscribe.1.name: must be at most 200 characters"),
        ({"url": APP, "events": ["add_lead"], "name": "x" * 201}, "subscribe.1.name: must be at most 200 characters"),
        (APP, "subscribe.1: must be an object, not a text"),
    ],
)  # fmt: skip
def test_one_item_of_the_wrong_type_refuses_the_whole_request(api, item, message):
    subscribe = [{"url": "http://first.example", "events": ["add_lead"]}, item]
    answer = api("POST", V2, json={"subscribe": subscribe})
    assert answer.status_code == 400
    assert message in refused_by_v2(answer)
    answer = api("POST", V1, json={"request": {"webhooks": {"subscribe": subscribe}}})
    assert answer.status_code == 400
    assert f"request.webhooks.{message}" in refused_by_v1(answer)
    assert api.records() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"subscribe": {"url": APP, "events": ["add_lead"]}}, "subscribe: must be a list, not an object"),
        ({"subscribe": []}, "subscribe: 0 items, 1 to 100 are possible"),
        ({"subscribe": [{"url": APP, "events": ["add_lead"]}] * 101}, "subscribe: 101 items, 1 to 100 are possible"),
    ],
)  # fmt: skip
def test_a_wrong_list(api, body, message):
    answer = api("POST", V2, json=body)
    assert answer.status_code == 400
    assert message in refused_by_v2(answer)
    assert api.records() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("subscribe[0][url]=x&subscribe[0", "cut in the middle of a key"),
        ("subscribe[0][url]=%FF&subscribe[0][events][]=add_lead", "not UTF-8"),
        ("no equals sign at all", "not a form"),
        ("&".join(f"subscribe[0][events][]={n}" for n in range(10_001)), "at most 10,000"),
        (f"subscribe[url]={APP}&subscribe[events][]=add_lead", "subscribe: must be a list, not an object"),
        (f"subscribe[0][url]={APP}&subscribe[0][events]=add_lead", "subscribe.0.events: must be a list, not a text"),
    ],
)
def test_a_form_that_is_cut_or_of_another_shape(api, body, message):
    answer = api("POST", V2, data=body, headers=FORM)
    assert answer.status_code == 400
    assert message in refused_by_v2(answer)
    assert api.records() == []


@pytest.mark.parametrize("item", [{}, {"url": None}, {"url": ""}, {"url": APP, "events": []}, {"events": []}])
def test_unsubscribing_from_nothing_in_particular_removes_nothing(api, item):
    api("POST", V4, json={"destination": APP, "settings": ["add_lead"]})
    answer = api("POST", "/api/v2/webhooks/unsubscribe", json={"unsubscribe": [item]})
    assert answer.status_code == 400
    assert refused_by_v2(answer).startswith("unsubscribe.0")
    assert api.settings() == {APP: ["add_lead"]}


def test_unsubscribing_from_an_event_that_there_is_not_says_so(api):
    api("POST", V4, json={"destination": APP, "settings": ["add_lead"]})
    items = [{"url": APP, "events": ["add_laed"]}]
    (item,) = api("POST", "/api/v2/webhooks/unsubscribe", json={"unsubscribe": items}).json()["_embedded"]["items"]
    assert item["result"] is False
    assert "did you mean add_lead?" in item["notice"]
    assert api.settings() == {APP: ["add_lead"]}


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"settings": ["add_lead"]}, "FieldMissing", "destination"),
        ({"destination": APP}, "FieldMissing", "settings"),
        ({"destination": APP, "settings": {"0": "add_lead"}}, "InvalidType", "settings"),
        ({"destination": APP, "settings": "add_lead"}, "InvalidType", "settings"),
        ({"destination": APP, "settings": []}, "InvalidType", "settings"),
        ({"destination": APP, "settings": ["add_lead"] * 10_000}, "InvalidType", "settings"),
        ({"destination": APP, "settings": ["add_lead", "sing"]}, "NotSupportedChoice", "settings.1"),
        ({"destination": "app", "settings": ["add_lead"]}, "InvalidFormat", "destination"),
        ({"destination": APP, "settings": ["add_lead"], "sort": "1"}, "InvalidType", "sort"),
        ({"destination": APP, "settings": ["add_lead"], "sort": True}, "InvalidType", "sort"),
        ({"destination": APP, "settings": ["add_lead"], "sort": -1}, "InvalidType", "sort"),
        ({"destination": APP, "settings": ["add_lead"], "sort": 10**30}, "InvalidType", "sort"),
    ],
)
def test_v4_names_the_field_that_is_wrong(api, body, code, path):
    answer = api("POST", V4, json=body)
    assert answer.status_code == 400
    refused_by_v4(answer)
    (found,) = answer.json()["validation-errors"]
    assert [(error["code"], error["path"]) for error in found["errors"]] == [(code, path)]
    assert api.records() == []


def test_v4_takes_no_forms(api):
    answer = api("POST", V4, data={"destination": APP, "settings[]": "add_lead"})
    assert answer.status_code == 400
    assert refused_by_v4(answer) == ("Content-Type is application/x-www-form-urlencoded, possible is application/json")


def test_v4_cannot_delete_what_is_not_there(api):
    answer = api("DELETE", V4, json={"destination": APP})
    assert answer.status_code == 404
    assert refused_by_v4(answer) == "destination: is not subscribed"


@pytest.mark.parametrize(
    ("method", "path", "status", "is_error"),
    [
        ("GET", "/private/api/v2/json/webhooks/subscribe", 405, refused_by_v1),
        ("POST", "/private/api/v2/json/webhooks/list", 405, refused_by_v1),
        ("GET", "/private/api/v2/json/webhooks/other", 404, refused_by_v1),
        ("DELETE", "/api/v2/webhooks", 405, refused_by_v2),
        ("GET", "/private/api/v2/webhooks/subscribe", 405, refused_by_v2),
        ("GET", "/api/v2/webhooks/7", 404, refused_by_v2),
        ("PATCH", "/api/v4/webhooks", 405, refused_by_v4),
        ("GET", "/api/v4/webhooks/7", 404, refused_by_v4),
        ("GET", "/api/v4/leads", 404, refused_by_v4),
        ("PATCH", "/api/v4/leads/7", 404, refused_by_v4),
        ("GET", "/api/v4", 404, refused_by_v4),
        ("GET", "/api/v3/account", 404, refused_by_v4),
        ("GET", "/api", 404, refused_by_v4),
        ("POST", "/api/v4/account", 405, refused_by_v4),
        ("POST", "/api/openapi.json", 405, refused_by_v4),
        ("POST", "/api/v2/leads", 404, refused_by_v2),
        ("GET", "/private/api/v2/contacts", 404, refused_by_v2),
        ("POST", "/private/api/v2/account", 405, refused_by_v2),
        ("POST", "/private/api/v2/json/leads/set", 404, refused_by_v1),
        ("GET", "/private/api/v2/json/accounts/current/users", 404, refused_by_v1),
        ("POST", "/private/api/v2/json/accounts/current", 405, refused_by_v1),
        ("GET", "/private/notes/edit2.php", 404, refused_by_v1),
        ("GET", "/private", 404, refused_by_v1),
    ],
)
def test_other_methods_and_addresses(api, method, path, status, is_error):
    answer = api(method, path)
    assert answer.status_code == status
    assert is_error(answer)
    assert ("allow" in answer.headers) == (status == 405)


def test_head_is_a_get_without_its_body(api):
    answer = api("HEAD", V4)
    assert (answer.status_code, answer.content) == (200, b"")
