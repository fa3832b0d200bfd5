"""Whose account it is: the first question of client libraries, in each version of the API."""

import time

import pytest

V1, V2, V4 = "/private/api/v2/json/accounts/current", "/api/v2/account", "/api/v4/account"


@pytest.fixture
def number(api) -> int:
    """Return the number of the login crm@example.com, as its webhooks show it."""
    body = {"destination": "https://app.example.com/hook", "settings": ["add_lead"]}
    return api("POST", "/api/v4/webhooks", json=body).json()["created_by"]


def test_v4_shows_it_and_no_more(api, number):
    answer = api("GET", V4, params={"with": "amojo_id,task_types"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/hal+json")
    assert answer.json() == {"id": 7039099, "name": "acme", "subdomain": "acme", "current_user_id": number}


@pytest.mark.parametrize("path", [V2, "/private/api/v2/account"])
def test_v2_shows_it_and_no_more(api, number, path):
    answer = api("GET", path, params={"with": "custom_fields,users"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/hal+json")
    assert abs(int(answer.headers["runtime-timestamp"]) - time.time()) < 60
    assert answer.json() == {
        "_links": {"self": {"href": path, "method": "get"}},
        "id": 7039099,
        "name": "acme",
        "subdomain": "acme",
        "current_user": number,
    }


def test_v1_shows_it_and_no_more_with_ids_as_texts(api, number):
    answer = api("GET", V1)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    response = answer.json()["response"]
    assert response.keys() == {"account", "server_time"}
    assert response["account"] == {"id": "7039099", "name": "acme", "subdomain": "acme", "current_user": str(number)}


def test_an_account_whose_id_the_configuration_does_not_have_is_number_0(api):
    branch = api.by("branch")
    assert branch("GET", V4).json()["id"] == branch("GET", V2).json()["id"] == 0
    assert branch("GET", V1).json()["response"]["account"]["id"] == "0"


@pytest.mark.parametrize("path", [V1, V2, V4])
def test_the_unknown_are_not_told(api, path):
    answer = api.unknown()("GET", path)
    assert answer.status_code == 401
    assert "7039099" not in answer.text


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("//api/v4/account", V4),
        ("///api//v4/account/", V4),
        ("//api/v2/account", V2),
        (f"{V1}/", V1),  # as Zapier asks
        ("//private/api/v2/json/accounts/current", V1),
    ],
)
def test_slashes_too_many_change_nothing(api, path, plain):
    """Clients join `https://acme.amocrm.ru/` and `/api/v4/…`."""
    answer = api("GET", path)
    assert answer.status_code == 200
    assert {**answer.json(), "response": None} == {**api("GET", plain).json(), "response": None}
    assert api("POST", f"/{path}").status_code == 405


def test_a_webhook_is_made_and_removed_with_slashes_too_many(api):
    body = {"destination": "https://app.example.com/hook", "settings": ["add_lead"]}
    assert api("POST", "//api/v4/webhooks", json=body).status_code == 201
    assert api("GET", "//api/v4/webhooks/").json()["_total_items"] == 1
    assert api("DELETE", "//api/v4/webhooks", json=body).status_code == 204
