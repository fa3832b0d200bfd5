"""The description tells the truth: requests made from it succeed, and every answer is one that it describes."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from relay.amocrm.event_names import SUBSCRIBABLE
from relay.web.subscriptions.openapi import PATH, description

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(description()).get_all_operations()]


def test_the_description_is_served(api):
    answer = api.unknown()("GET", PATH)
    assert (answer.status_code, answer.json()) == (200, description())


def test_it_knows_the_events_that_there_are():
    assert description()["components"]["schemas"]["Event"]["enum"] == list(SUBSCRIBABLE)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_requests_made_from_it_succeed_and_no_answer_is_a_surprise(api, forget, operation):
    """At least five succeed of each operation, and of each kind of body that it takes."""
    succeeded: Counter[str] = Counter()

    @settings(
        max_examples=15 * max(len(operation.body), 1),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Case) -> None:
        forget()
        response = case.call(base_url=api.url, headers=_prepared(api, case))
        succeeded[case.media_type or "no body"] += response.status_code < 300
        case.validate_response(response, checks=CHECKS)

    send()
    media_types = [body.media_type for body in operation.body] or ["no body"]
    assert all(succeeded[media_type] >= 5 for media_type in media_types), succeeded


def _prepared(api, case: Case) -> dict[str, str]:
    """Return valid credentials, and make true what the operation needs to be there."""
    if case.operation.label == "DELETE /api/v4/webhooks":
        body = {"destination": "https://app.example.com/hook", "settings": ["add_lead"]}
        assert api("POST", "/api/v4/webhooks", json=body).status_code == 201
        case.body = {**case.body, "destination": body["destination"]}
    if case.operation.label.endswith("auth.php"):
        login = {"USER_LOGIN": "crm@example.com", "USER_HASH": "crm-secret-hash"}
        if case.operation.method == "get":
            case.query = {**case.query, **login}
        else:
            case.body = login
        return {}
    return api.headers
