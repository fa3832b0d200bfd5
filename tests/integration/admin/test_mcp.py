"""A language model's client asks the MCP endpoint, with the SDK's own client, and learns why nothing was sent."""

import json

import pytest

from relay.web.admin.api.routes import OPERATIONS
from relay.web.admin.mcp import routes
from tests.integration.admin.conftest import ADMIN, CONFIG, READ

ROUTED = CONFIG.replace(
    "routes: []",
    "routes:\n  - {name: won, on: [add_lead], where: {price: 500}, to: [books]}\n"
    "  - {name: all, on: [add_lead], to: [books]}",
)
URL = "http://relay.example.com/admin/api/mcp"


@pytest.fixture
def api(open_pages, relay):
    relay.configure(ROUTED)
    return open_pages(config=ROUTED, RELAY_ADMIN_TOKEN=ADMIN, RELAY_ADMIN_READ_TOKEN=READ)


@pytest.fixture
def ask(api, run):
    """Return what calls tools one after the other, by a client of its own: a name, arguments -> the result."""
    # Here: they take a second, in each process that only collects the tests.
    import httpx2
    import mcp
    from mcp.client.streamable_http import streamable_http_client

    async def talk(*calls):
        transport = httpx2.ASGITransport(api.application, client=("203.0.113.5", 50000))
        headers = {"Authorization": f"Bearer {READ}"}
        async with (
            httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http,
            mcp.Client(streamable_http_client(URL, http_client=http)) as client,
        ):
            listed = await client.list_tools()
            return [listed, *[await client.call_tool(name, arguments) for name, arguments in calls]]

    return lambda *calls: run(talk(*calls))


def read(result):
    assert not result.is_error, result
    return json.loads(result.content[0].text)


def test_there_is_a_tool_for_whatever_the_api_only_reads(ask):
    (listed,) = ask()
    tools = {tool.name: tool for tool in listed.tools}
    assert len(tools) == len([one for one in OPERATIONS if one.method == "GET"])
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    story = tools["events_by_id"]
    assert (story.input_schema["required"], set(story.input_schema["properties"])) == (["id"], {"id"})
    assert {"entity", "phone", "state", "after"} < set(tools["events"].input_schema["properties"])


def test_a_model_finds_why_a_deal_made_no_delivery(ask, relay):
    (receipt, *_) = relay.accept_leads(25399013)
    listed, story, explained = ask(
        ("events", {"entity": "lead:25399013"}),
        ("events_by_id", {"id": receipt}),
        ("events_by_id_explanation", {"id": receipt}),
    )[1:]
    assert [one["receipt_id"] for one in read(listed)["items"]] == [receipt]
    (delivery,) = read(story)["deliveries"]
    assert delivery["delivery"]["route"] == "all"
    (event,) = read(explained)["events"]
    assert [one["because"] for one in event["routes"]] == ["price eq 500: not in the hook", ""]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("event", {}, "there is no tool 'event'"),
        ("events", {"entity": "deal:1"}, "entity: nothing is called 'deal'"),
        ("events", {"reveal": True}, "there is no argument 'reveal'"),
        ("events", {"limit": 0}, "limit: "),
        ("events_by_id", {}, "id: missing"),
        ("events_by_id", {"id": "../../sinks/books"}, "no event"),
    ],
)
def test_what_is_wrong_is_said_to_the_model(ask, tool, arguments, said):
    (_, result) = ask((tool, arguments))
    assert result.is_error
    assert said in result.content[0].text


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody's"}])
def test_a_stranger_is_told_nothing(api, headers):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    answer = api.post(URL, json=body, headers=headers)
    assert (answer.status_code, set(answer.json())) == (401, {"error"})


def test_where_the_extra_is_not_installed_it_says_so(api, monkeypatch):
    monkeypatch.setattr(routes, "find_spec", lambda name: None)
    answer = api.post(URL, json={}, headers={"Authorization": f"Bearer {READ}"})
    assert (answer.status_code, answer.json()) == (501, {"error": routes.NOT_INSTALLED})
