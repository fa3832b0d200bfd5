"""An explanation is printed route by route: a tick and the request, or a cross and the condition that failed."""

from relay.cli.display.explanation import format_explanation
from relay.operations.explanation import EventExplanation, ExplainedDelivery, Explanation, RouteExplanation


def test_a_matching_route_shows_its_request_and_another_the_failed_condition() -> None:
    invoice = ExplainedDelivery(
        sink="books", id="d1", state="pending", reason="", request={"amount": "1500.00"}, once=True,
        note="its `once` key is free",
    )  # fmt: skip
    unsent = ExplainedDelivery(sink="sms", id="d2", state="skipped", reason="no phone", request=None)
    routes = [
        RouteExplanation(route="invoice", matched=True, because="", deliveries=[invoice, unsent]),
        RouteExplanation(route="contacts", matched=False, because='on: saw "status_lead"', deliveries=[]),
    ]
    event = EventExplanation(
        id="r1.0", index=0, event="status_lead", entity="lead", entity_id="77", state="routed", reason="", routes=routes
    )
    explanation = Explanation(source="acme", state="routed", reason="", config="c1", events=[event])
    assert list(format_explanation(explanation)) == [
        "source acme: routed",
        "",
        "status_lead lead 77: routed",
        "  ✓ invoice",
        "      → books: pending",
        "        its `once` key is free",
        "        {",
        '          "amount": "1500.00"',
        "        }",
        "      → sms: skipped, no phone",
        '  ✗ contacts: on: saw "status_lead"',
    ]


def test_a_receipt_without_events_shows_its_reason() -> None:
    explanation = Explanation(source="acme", state="malformed", reason="not a form", config="c1", events=[])
    assert list(format_explanation(explanation)) == ["source acme: malformed, not a form"]


def test_remarks_follow_the_state() -> None:
    explanation = Explanation(
        source="acme", state="routed", reason="", config="c1", events=[], remarks=["'tags': an index", "more"]
    )
    assert list(format_explanation(explanation)) == [
        "source acme: routed",
        "  remark: 'tags': an index",
        "  remark: more",
    ]
