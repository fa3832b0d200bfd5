"""Applications subscribe as they would to amoCRM: three versions of its API, over the same records."""

import time

import pytest

APP = "https://app.example.com/hook?key=1"
OTHER = "http://other.example:8080"
NINE = {
    *("id", "destination", "created_at", "updated_at", "account_id"),
    *("created_by", "sort", "disabled", "settings"),
}
V2_ROOTS = ["/api/v2/webhooks", "/private/api/v2/webhooks"]


def items(answer) -> list[dict]:
    return answer.json()["_embedded"]["items"]


def v1(verb: str, *requested: dict) -> dict:
    return {"request": {"webhooks": {verb: list(requested)}}}


@pytest.mark.parametrize("root", V2_ROOTS)
def test_v2_subscribes_lists_and_unsubscribes(api, root):
    before = int(time.time())
    requested = [{"url": APP, "events": ["add_lead", "status_lead"]}, {"url": OTHER, "events": ["add_task"]}]
    made = api("POST", f"{root}/subscribe", json={"subscribe": requested})
    assert made.status_code == 200
    assert made.headers["content-type"] == "application/hal+json"
    assert before <= int(made.headers["runtime-timestamp"]) <= time.time()
    assert made.json() == {
        "_links": {"self": {"href": f"{root}/subscribe", "method": "post"}},
        "_embedded": {"items": [{"url": APP, "result": True}, {"url": OTHER, "result": True}]},
    }
    listed = api("GET", root)
    assert listed.status_code == 200
    assert listed.headers["content-type"] == "application/hal+json"
    assert listed.json()["_links"] == {"self": {"href": root, "method": "get"}}
    first, second = items(listed)
    assert first == {"id": first["id"], "url": APP, "events": ["add_lead", "status_lead"], "disabled": False}
    assert (second["url"], second["id"] > first["id"]) == (OTHER, True)
    gone = api("POST", f"{root}/unsubscribe", json={"unsubscribe": [{"url": APP, "events": ["add_lead"]}]})
    assert items(gone) == [{"url": APP, "result": True}]
    assert api.settings() == {APP: ["status_lead"], OTHER: ["add_task"]}


@pytest.mark.parametrize(
    "body",
    [
        "subscribe[0][url]=https%3A%2F%2Fapp.example.com%2Fhook%3Fkey%3D1"
        "&subscribe[0][events][]=add_lead&subscribe[0][events][]=status_lead",
        "subscribe%5B0%5D%5Burl%5D=https%3A%2F%2Fapp.example.com%2Fhook%3Fkey%3D1"
        "&subscribe%5B0%5D%5Bevents%5D%5B0%5D=add_lead&subscribe%5B0%5D%5Bevents%5D%5B1%5D=status_lead",
        "subscribe[3][url]=https%3A%2F%2Fapp.example.com%2Fhook%3Fkey%3D1"
        "&subscribe[3][events][2]=add_lead&subscribe[3][events][7]=status_lead",
        '{"subscribe": [{"url": "https://app.example.com/hook?key=1", "events": ["add_lead", "status_lead"]}]}',
    ],
    ids=["brackets", "percent-encoded, numbered", "numbered with gaps", "JSON that cURL calls a form"],
)
def test_v2_takes_forms_as_php_writes_them(api, body):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert items(api("POST", "/api/v2/webhooks/subscribe", data=body, headers=form)) == [{"url": APP, "result": True}]
    assert api.settings() == {APP: ["add_lead", "status_lead"]}


def test_v2_takes_forms_in_parts(api):
    parts = [("subscribe[0][url]", (None, APP)), ("subscribe[0][events][]", (None, "add_lead"))]
    parts.append(("subscribe[0][events][]", (None, "status_lead")))
    assert items(api("POST", "/api/v2/webhooks/subscribe", files=parts)) == [{"url": APP, "result": True}]
    assert api.settings() == {APP: ["add_lead", "status_lead"]}


def test_v1_subscribes_lists_and_unsubscribes(api):
    root, now = "/private/api/v2/json/webhooks", int(time.time())
    made = api("POST", f"{root}/subscribe", json=v1("subscribe", {"url": APP, "events": ["add_lead"]}))
    assert made.status_code == 200
    assert made.json()["response"]["webhooks"] == {"subscribe": [{"url": APP, "result": True}]}
    assert now <= made.json()["response"]["server_time"] <= time.time()
    (listed,) = api("GET", f"{root}/list").json()["response"]["webhooks"]
    assert listed == {"id": str(api.records()[0]["id"]), "url": APP, "events": ["add_lead"], "disabled": False}
    form = {"request[webhooks][unsubscribe][0][url]": APP}
    gone = api("POST", f"{root}/unsubscribe", data=form)
    assert gone.json()["response"]["webhooks"] == {"unsubscribe": [{"url": APP, "result": True}]}
    assert api.records() == []


def test_v4_subscribes_lists_and_unsubscribes(api):
    now = int(time.time())
    made = api(
        "POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["status_lead", "add_lead"], "sort": 5}
    )
    assert made.status_code == 201
    assert made.headers["content-type"] == "application/hal+json"
    record = made.json()
    assert record.keys() == NINE
    assert now <= record["created_at"] == record["updated_at"] <= time.time()
    assert (record["account_id"], record["sort"], record["disabled"]) == (7039099, 5, False)
    assert (record["destination"], record["settings"]) == (APP, ["add_lead", "status_lead"])
    api("POST", "/api/v4/webhooks", json={"destination": OTHER, "settings": ["add_task"]})
    answer = api("GET", "/api/v4/webhooks")
    assert answer.headers["content-type"] == "application/hal+json"
    listed = answer.json()
    assert listed["_total_items"] == 2
    assert [one["destination"] for one in listed["_embedded"]["webhooks"]] == [OTHER, APP]  # by sort
    found = api("GET", "/api/v4/webhooks", params={"filter[destination]": APP}).json()
    assert (found["_total_items"], found["_embedded"]["webhooks"]) == (1, [record])
    gone = api("DELETE", "/api/v4/webhooks", json={"destination": APP})
    assert (gone.status_code, gone.content, "content-type" in gone.headers) == (204, b"", False)
    assert list(api.settings()) == [OTHER]


def test_v4_gives_a_known_destination_other_events(api):
    first = api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_lead"], "sort": 5}).json()
    again = api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_task"]})
    assert again.status_code == 201
    assert again.json() == {**first, "settings": ["add_task"], "updated_at": again.json()["updated_at"]}


def test_ids_are_below_2_to_the_31(api):
    """The languages and databases of clients have signed integers of 32 bits."""
    for user in ("crm", "shop"):
        api.by(user)("POST", "/api/v4/webhooks", json={"destination": f"{APP}&{user}", "settings": ["add_lead"]})
    numbers = [record["created_by"] for record in api.records()]
    assert len(set(numbers)) == 2
    assert all(0 < number < 2**31 for number in numbers)


def test_every_generation_sees_the_same_records(api):
    api("POST", "/api/v2/webhooks/subscribe", json={"subscribe": [{"url": APP, "events": ["add_lead"]}]})
    api("POST", "/private/api/v2/json/webhooks/subscribe", json=v1("subscribe", {"url": APP, "events": ["add_task"]}))
    api("POST", "/api/v4/webhooks", json={"destination": OTHER, "settings": ["note_lead"]})
    by_v4 = [(one["id"], one["destination"], one["settings"], one["disabled"]) for one in api.records()]
    lists = [*(items(api("GET", root)) for root in V2_ROOTS)]
    by_v1 = api("GET", "/private/api/v2/json/webhooks/list").json()["response"]["webhooks"]
    assert all(isinstance(one["id"], str) for one in by_v1)
    lists.append([{**one, "id": int(one["id"])} for one in by_v1])
    assert [set(settings) for _, _, settings, _ in by_v4] == [{"add_lead", "add_task"}, {"note_lead"}]
    for listed in lists:
        assert [(one["id"], one["url"], one["events"], one["disabled"]) for one in listed] == by_v4


@pytest.mark.parametrize("root", [*V2_ROOTS, "/api/v4/webhooks"])
def test_nothing_subscribed_is_an_empty_list(api, root):
    answer = api("GET", root)
    assert answer.status_code == 200
    assert list(answer.json()["_embedded"].values()) == [[]]


def test_a_record_has_a_name(api):
    api(
        "POST",
        "/api/v2/webhooks/subscribe",
        json={"subscribe": [{"url": APP, "events": ["add_lead"], "name": "Склад"}]},
    )
    (listed,) = items(api("GET", "/api/v2/webhooks"))
    assert listed["name"] == "Склад"
    assert api.records()[0].keys() == NINE


def test_accounts_do_not_see_each_other(api):
    branch = api.by("branch")
    api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_lead"]})
    assert branch.records() == []
    assert branch("DELETE", "/api/v4/webhooks", json={"destination": APP}).status_code == 404
    assert branch("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_task"]}).status_code == 201
    assert (api.settings(), branch.settings()) == ({APP: ["add_lead"]}, {APP: ["add_task"]})


@pytest.mark.parametrize(
    ("item", "response_items", "left"),
    [
        ({"url": APP, "events": ["add_lead"]}, [(APP, True)], {APP: ["add_task"], OTHER: ["add_lead"]}),
        ({"url": APP}, [(APP, True)], {OTHER: ["add_lead"]}),
        ({"url": APP, "events": ["note_lead"]}, [(APP, True)], {APP: ["add_lead", "add_task"], OTHER: ["add_lead"]}),
        ({"events": ["add_lead"]}, [(APP, True)], {APP: ["add_task"], OTHER: ["add_lead"]}),
        ({"events": ["note_lead"]}, [("", False)], {APP: ["add_lead", "add_task"], OTHER: ["add_lead"]}),
        ({"url": "http://new.ex"}, [("http://new.ex", False)], {APP: ["add_lead", "add_task"], OTHER: ["add_lead"]}),
    ],
    ids=["both", "without events", "an event it has not", "without url", "without url, nobody", "unknown url"],
)  # fmt: skip
def test_unsubscribing_without_events_means_all_and_without_url_means_all_that_are_ones_own(
    api, item, response_items, left
):
    """The login crm made the subscription of APP, shop that of OTHER, in the same account."""
    body = {"subscribe": [{"url": APP, "events": ["add_lead", "add_task"]}]}
    api("POST", "/api/v2/webhooks/subscribe", json=body)
    api.by("shop")("POST", "/api/v2/webhooks/subscribe", json={"subscribe": [{"url": OTHER, "events": ["add_lead"]}]})
    answer = api("POST", "/api/v2/webhooks/unsubscribe", json={"unsubscribe": [item]})
    assert answer.status_code == 200
    assert [(item["url"], item["result"]) for item in items(answer)] == response_items
    assert all(("notice" in item) != item["result"] for item in items(answer))
    assert api.settings() == left


def test_the_101st_is_refused_with_a_notice(api):
    hundred = [{"url": f"http://app.example/{n}", "events": ["add_lead"]} for n in range(100)]
    assert all(item["result"] for item in items(api("POST", "/api/v2/webhooks/subscribe", json={"subscribe": hundred})))
    one_more = [{"url": APP, "events": ["add_lead"]}]
    answer = api("POST", "/api/v2/webhooks/subscribe", json={"subscribe": one_more})
    assert answer.status_code == 200
    (item,) = items(answer)
    assert (item["url"], item["result"]) == (APP, False)
    assert "100 active webhooks" in item["notice"]
    by_v1 = api("POST", "/private/api/v2/json/webhooks/subscribe", json=v1("subscribe", *one_more))
    assert by_v1.json()["response"]["webhooks"]["subscribe"] == [item]
    by_v4 = api("POST", "/api/v4/webhooks", json={"destination": APP, "settings": ["add_lead"]})
    assert by_v4.status_code == 422
    assert by_v4.headers["content-type"] == "application/problem+json"
    assert by_v4.json()["validation-errors"][0]["errors"][0]["path"] == "destination"
    assert APP not in api.settings()


def test_what_is_wrong_with_one_item_is_no_matter_of_the_others(api):
    requested = [
        {"url": "ftp://app.example/", "events": ["add_lead"]},
        {"url": OTHER, "events": ["add_lead"]},
        {"url": APP, "events": ["add_laed", "add_lead", "sing"]},
    ]
    answer = api("POST", "/api/v2/webhooks/subscribe", json={"subscribe": requested})
    assert answer.status_code == 200
    bad_url, good, bad_event = items(answer)
    assert (bad_url["result"], "http://" in bad_url["notice"]) == (False, True)
    assert good == {"url": OTHER, "result": True}
    assert bad_event["result"] is False
    assert "unknown event add_laed, did you mean add_lead?" in bad_event["notice"]
    assert "unknown event sing" in bad_event["notice"]
    assert api.settings() == {OTHER: ["add_lead"]}
