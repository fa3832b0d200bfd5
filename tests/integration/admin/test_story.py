"""The page Story: what happened, why a route did not match, what is sent, and acts that nothing makes happen twice."""

import pytest

from relay.model import Outcome
from tests.integration.admin.conftest import READ
from tests.integration.admin.small_pages import CONFIG, field, lead, open_here, plain, send_form


@pytest.fixture
def pages(open_pages, relay):
    """Return a browser of a relay whose routes make an invoice and a line of the log."""
    opened = open_here(open_pages)
    relay.configure(CONFIG)
    return opened


def bring(relay, outcome: Outcome, number: int = 25399013) -> tuple[str, str]:
    """Store a lead whose delivery to `books` comes to an outcome. Returns its event's and that delivery's id."""
    (receipt,) = relay.accept(lead(number))
    relay.settle(Outcome.DELIVERED, "console")
    relay.settle(outcome, "books")
    (delivery,) = [one for one in relay.deliveries(receipt) if one.sink == "books"]
    return f"{receipt}.0", delivery.id


def test_a_story_says_what_happened_and_what_would_be_sent(pages, relay) -> None:
    event, delivery = bring(relay, Outcome.DELIVERED)
    answer = pages.get(f"/admin/events/{event}")
    story = plain(answer)
    assert answer.status_code == 200
    for part in (
        "add_lead of lead 25399013", "invoices → books delivered", "everything → console delivered", delivery,
        "attempt 1 : delivered", "POST", "https://books.example.com/v1", '"subdomain": "acme"', "✓ matches invoices",
    ):  # fmt: skip
        assert part in story.replace("attempt 1:", "attempt 1 :"), part
    assert "books-token-to-hide" not in answer.text
    assert f'id="d-{delivery}"' in answer.text
    assert "curl -X POST https://books.example.com/v1" in story


def test_what_has_no_content_is_not_offered_to_be_sent_as_it_is(pages, relay) -> None:
    relay.configure(CONFIG.replace('phone: "+79161234567"', 'city: "{{ lead.custom.City }}"'))
    (receipt,) = relay.accept(lead(1))
    assert [one.state for one in relay.deliveries(receipt) if one.sink == "books"] == ["dead"]
    page = pages.get(f"/admin/events/{receipt}.0").text
    assert 'value="render"' in page
    assert 'value="resend"' not in page


def test_what_operations_quote_is_code_on_a_page(pages) -> None:
    answer = pages.get("/admin/events/no-such")
    assert "<code>relay events list</code>" in answer.text
    assert "`" not in plain(answer)


def test_a_route_that_did_not_match_says_which_clause_and_which_value(pages, relay) -> None:
    (receipt,) = relay.accept(lead(1, price=200))
    assert '✗ does not match invoices price gt 1000: saw "200"' in plain(pages.get(f"/admin/events/{receipt}.0"))


def test_people_are_masked_until_they_are_revealed_and_that_is_in_the_audit(pages, relay, run) -> None:
    event, _ = bring(relay, Outcome.DELIVERED)
    page = pages.get(f"/admin/events/{event}")
    assert "79161234567" not in page.text
    assert run(relay.store.acts.audit(10)) == []
    revealed = send_form(pages, page, f"/admin/events/{event}/reveal", [("why", "a call")])
    assert revealed.status_code == 200
    assert "+79161234567" in revealed.text
    (entry,) = run(relay.store.acts.audit(10))
    assert (entry.act, entry.what, entry.by) == ("reveal", f"event {event}", "operator")
    assert "79161234567" not in pages.get(f"/admin/events/{event}").text


def test_what_is_held_says_who_decides_and_is_confirmed_once(pages, relay, run) -> None:
    event, delivery = bring(relay, Outcome.UNKNOWN)
    page = pages.get(f"/admin/events/{event}")
    assert "Next : a person must decide" in plain(page).replace("Next:", "Next :")
    fields = [
        ("delivery", field(page, "delivery")), ("act", "confirm"), ("why", "seen there"),
        ("back", f"/admin/events/{event}"),
    ]  # fmt: skip
    done = plain(send_form(pages, page, "/admin/deliveries/act", fields))
    assert f"{delivery}: delivered" in done
    again = plain(send_form(pages, page, "/admin/deliveries/act", fields))
    assert f"{delivery}: nothing was done: it has changed since you looked, and is delivered now." in again
    assert [(one.act, one.why) for one in run(relay.store.acts.audit(10))] == [("confirm", "seen there")]


def test_a_dead_letter_is_resent_and_a_second_form_that_saw_it_dead_sends_nothing(pages, relay) -> None:
    event, delivery = bring(relay, Outcome.REJECTED)
    page = pages.get(f"/admin/events/{event}")
    resend = [("delivery", field(page, "delivery")), ("act", "resend"), ("back", f"/admin/events/{event}")]
    assert f"{delivery}: will be sent again" in plain(send_form(pages, page, "/admin/deliveries/act", resend))
    relay.settle(Outcome.REJECTED, "books")  # it died once more
    assert "has changed since you looked" in plain(send_form(pages, page, "/admin/deliveries/act", resend))
    states = {one.id: one.state for one in relay.deliveries(event.partition(".")[0])}
    assert states[delivery] == "dead"


def test_a_replay_shows_the_difference_first_and_does_only_what_was_shown(pages, relay, open_pages) -> None:
    event, delivery = bring(relay, Outcome.REJECTED)
    changed = CONFIG.replace('"{{ lead.id }}"', '"deal {{ lead.id }}"')
    relay.configure(changed)
    pages = open_here(open_pages, changed)
    page = pages.get(f"/admin/events/{event}/replay")
    shown = plain(page)
    assert '- "id": "25399013"' in shown
    assert '+ "id": "deal 25399013"' in shown
    assert "invoices → books will be sent again, rendered anew" in shown
    assert "everything → console is delivered, left alone" in shown
    form = [("version", field(page, "version")), ("force", ""), ("why", "mended")]
    assert "Replayed: 1 delivery will be sent." in plain(send_form(pages, page, f"/admin/events/{event}/replay", form))
    assert "Nothing was done" in plain(send_form(pages, page, f"/admin/events/{event}/replay", form))
    (sent,) = [one for one in relay.deliveries(event.partition(".")[0]) if one.id == delivery]
    assert (sent.state, sent.generation) == ("pending", 1)


@pytest.mark.parametrize("path", ["/admin/events/none.0", "/admin/events/none", "/admin/deliveries/none"])
def test_what_is_not_there_gets_a_clear_page(pages, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 404
    assert "retention may have removed it" in plain(answer)


def test_a_delivery_leads_to_the_story_that_it_is_part_of(pages, relay) -> None:
    event, delivery = bring(relay, Outcome.DELIVERED)
    assert pages.get(f"/admin/deliveries/{delivery}").headers["location"] == f"/admin/events/{event}#d-{delivery}"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ([("act", "explode"), ("delivery", "x y")], "There is no such act."),
        ([("act", "resend")], "Nothing is marked"),
        ([("act", "resend"), ("delivery", "none dead/1")], "none: nothing was done: it is gone"),
        ([("act", "move"), ("delivery", "none dead/1")], "There is no such act."),
        ([("act", "cancel"), *[("delivery", f"{n} x") for n in range(201)]], "Mark 200 at most."),
    ],
)
def test_a_form_that_makes_no_sense_does_nothing(pages, relay, run, fields, line) -> None:
    event, _ = bring(relay, Outcome.UNKNOWN)
    page = pages.get(f"/admin/events/{event}")
    assert line in plain(send_form(pages, page, "/admin/deliveries/act", [*fields, ("back", "/admin/events")]))
    assert run(relay.store.acts.audit(10)) == []


def test_who_may_only_look_sees_no_buttons_and_is_refused(open_pages, relay) -> None:
    reading = open_here(open_pages, RELAY_ADMIN_READ_TOKEN=READ, RELAY_ADMIN_TOKEN="another-token-for-acts")
    relay.configure(CONFIG)
    event, delivery = bring(relay, Outcome.UNKNOWN)
    reading.headers["authorization"] = f"Bearer {READ}"
    page = reading.get(f"/admin/events/{event}")
    assert (page.status_code, 'name="act"' in page.text, "Reveal" in page.text) == (200, False, False)
    refused = reading.post("/admin/deliveries/act", data={"act": "confirm", "delivery": f"{delivery} x"})
    assert refused.status_code == 403
    assert reading.post(f"/admin/events/{event}/reveal", data={"why": ""}).status_code == 403
