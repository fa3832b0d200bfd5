"""The description of the JSON API tells the truth: no answer to requests made from it is a surprise."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from relay.web.admin.api.routes import description
from tests.integration.admin.conftest import ADMIN, CONFIG

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(description()).get_all_operations()]
ROUTED = CONFIG.replace("routes: []", "routes:\n  - {name: all, on: [add_lead], to: [books]}")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_answer_is_a_surprise(open_pages, relay, operation):
    relay.configure(ROUTED)
    (receipt,) = relay.accept_leads(1)
    client = open_pages(config=ROUTED, RELAY_ADMIN_TOKEN=ADMIN)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    made = {"url": "https://app.example.com/x", "events": ["add_lead"]}
    subscription = client.post("/admin/api/subscriptions", json=made, headers=headers).json()["id"]
    delivery = client.get("/admin/api/deliveries", headers=headers).json()["items"][0]["id"]
    there = {"events": receipt, "deliveries": delivery, "subscriptions": str(subscription)}
    met = set()

    @settings(
        max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def send(case: Case) -> None:
        kind = operation.path.split("/")[3]
        if kind in there and "id" in (case.path_parameters or {}) and len(met) % 2 == 0:
            case.path_parameters = {"id": there[kind]}
        if operation.path.endswith("/stats"):
            case.query = {"over": 0.1}  # it takes as long
        case.headers = {**dict(case.headers or {}), **headers}
        request = case.as_transport_kwargs(base_url="http://relay.example.com")
        answer: httpx.Response = client.request(
            request["method"], request["url"], params=request.get("params"), json=request.get("json"),
            content=request.get("data"), headers={name: str(value) for name, value in request["headers"].items()},
        )  # fmt: skip
        met.add((len(met), answer.status_code))
        case.validate_response(Response.from_httpx(answer, verify=True), checks=CHECKS)

    send()
    assert met
