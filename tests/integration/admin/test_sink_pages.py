"""The pages Sinks, Actions and Routes: how sinks stand, pausing, all of one cause, and what becomes of a hook."""

import html
import re

import pytest

from relay.model import Outcome
from tests.integration.action_runs import work_off
from tests.integration.admin.small_pages import CONFIG, field, lead, open_here, plain, send_form


@pytest.fixture
def pages(open_pages, relay):
    """Return a browser of a relay whose routes make an invoice and a line of the log."""
    opened = open_here(open_pages)
    relay.configure(CONFIG)
    return opened


def fail(relay, count: int, first: int = 1) -> list[str]:
    """Store leads whose invoices end as dead letters of one cause. Returns the ids of their receipts."""
    receipts = relay.accept(*[lead(first + n) for n in range(count)])
    relay.settle(Outcome.REJECTED, "books")
    return receipts


def test_the_list_says_how_each_sink_stands(pages, relay) -> None:
    fail(relay, 3)
    shown = plain(pages.get("/admin/sinks"))
    assert "books http open 0 0 – 0 3" in shown
    assert "console log open 3 0" in shown


def test_a_sink_shows_causes_routes_and_settings_without_its_secrets(pages, relay) -> None:
    fail(relay, 3)
    answer = pages.get("/admin/sinks/books")
    shown = plain(answer)
    assert "3 dead so it was" in shown
    assert "All 3 of this cause…" in shown
    assert "routes invoices" in shown
    assert '"url": "https://books.example.com/v1' in shown
    assert "books-token-to-hide" not in answer.text


def test_one_failure_of_a_cause_is_spoken_of_as_one(pages, relay) -> None:
    fail(relay, 1)
    assert "1 of this cause…" in plain(pages.get("/admin/sinks/books"))
    assert "1 с этой причиной…" in plain(pages.get("/admin/sinks/books", headers={"Accept-Language": "ru"}))


def test_a_sink_is_paused_with_a_reason_and_resumed_and_its_gate_remembers(pages, relay) -> None:
    relay.accept(lead(1))
    page = pages.get("/admin/sinks/books")
    assert "Say why" in plain(send_form(pages, page, "/admin/sinks/books/pause", [("why", "")]))
    assert "yesterday" in plain(
        send_form(pages, page, "/admin/sinks/books/pause", [("why", "x"), ("until", "yesterday")])
    )
    paused = plain(send_form(pages, page, "/admin/sinks/books/pause", [("why", "they move"), ("until", "2h")]))
    assert "they move" in paused
    assert "paused already" in plain(send_form(pages, page, "/admin/sinks/books/pause", [("why", "once more")]))
    resumed = plain(send_form(pages, page, "/admin/sinks/books/resume", []))
    assert "books: open" in resumed
    assert "resumed by operator" in resumed
    assert "paused by operator" in resumed
    assert "it is not paused" in plain(send_form(pages, page, "/admin/sinks/books/resume", []))


def test_a_sink_without_a_free_call_says_so(pages) -> None:
    page = pages.get("/admin/sinks/console")
    assert "It has no call that is free" in plain(send_form(pages, page, "/admin/sinks/console/probe", []))


def test_an_orphan_stands_first_and_says_what_to_do(open_pages, relay) -> None:
    relay.configure(CONFIG)
    fail(relay, 2)
    pages = open_here(open_pages, CONFIG.replace("books", "ledger"))
    assert plain(pages.get("/admin/sinks")).index("books http orphan") < plain(pages.get("/admin/sinks")).index(
        "console"
    )
    assert "It is not in the configuration any more" in plain(pages.get("/admin/sinks/books"))


def test_what_an_orphan_has_is_moved_to_another_sink_after_it_is_shown_how_much(open_pages, relay) -> None:
    relay.configure(CONFIG)
    fail(relay, 3)
    renamed = CONFIG.replace("books", "ledger")
    relay.configure(renamed)
    pages = open_here(open_pages, renamed)
    link = "/admin/actions/new?kind=move&sink=books&state=dead"
    assert link.replace("&", "&amp;") in pages.get("/admin/sinks/books").text
    chosen = pages.get(link)
    assert "say to which sink" in plain(chosen)
    assert '<option value="">–</option><option>ledger</option></select>' in chosen.text, "of its type alone"
    page = pages.get(f"{link}&to=ledger")
    assert "It would do it to 3" in plain(page)
    form = [
        ("kind", "move"),
        ("sink", "books"),
        ("state", "dead"),
        ("to", "ledger"),
        ("back", link),
        ("why", "renamed"),
    ]
    begun = send_form(pages, page, "/admin/actions/start", form)
    assert "→ ledger" in plain(begun)
    work_off(relay.run, relay.store, relay.config)
    done = plain(pages.get(begun.url.path))
    assert "done: 3" in done
    assert "orphan" not in plain(pages.get("/admin/sinks"))
    moved = {one["sink"] for one in pages.get("/admin/api/dead").json()["items"]}
    assert moved == {"ledger"}
    entry = pages.get("/admin/api/audit").json()["items"][1]
    assert (entry["act"], entry["by"], entry["why"]) == ("start move", "operator", "renamed")


def test_what_has_no_content_leads_to_what_makes_one(pages, relay) -> None:
    relay.configure(CONFIG.replace('phone: "+79161234567"', 'city: "{{ lead.custom.City }}"'))
    relay.accept(lead(1))
    page = pages.get("/admin/actions/new?kind=resend&sink=books&state=dead")
    assert "left alone: without content: 1" in plain(page)
    assert 'href="/admin/actions/new?kind=render&amp;sink=books&amp;state=dead"' in page.text


def test_what_cannot_be_moved_is_counted_before_it_is_tried(pages, relay) -> None:
    fail(relay, 2)
    page = plain(pages.get("/admin/actions/new?kind=move&sink=books&state=dead&to=console"))
    assert "It would do it to 0" in page
    assert "left alone: its sink is in the configuration: 2" in page
    assert "say to which sink" in plain(pages.get("/admin/actions/new?kind=move&sink=books&to=nobody"))


def test_what_a_full_sink_puts_off_is_counted_listed_and_given_up(open_pages, relay) -> None:
    full = CONFIG.replace("idempotency: none", "idempotency: none, max_pending: 2")
    relay.configure(full)
    relay.accept(*[lead(1 + n) for n in range(5)])
    pages = open_here(open_pages, full)
    link = "/admin/deliveries?state=put-off&sink=books"
    for path in ("/admin/sinks", "/admin/sinks/books"):
        assert f'href="{html.escape(link)}"' in pages.get(path).text
    assert "+3 put off" in plain(pages.get("/admin/sinks"))
    assert "+3 отложено" in plain(pages.get("/admin/sinks", headers={"Accept-Language": "ru"}))
    page = pages.get(link)
    assert "invoices → books put-off 0 when there is room" in plain(page)
    rows = re.findall(r'name="delivery" value="([^"]+)"', page.text)
    assert len(rows) == 3
    form = [("delivery", rows[0]), ("delivery", rows[1]), ("why", "too late"), ("act", "cancel"), ("back", link)]
    assert "2 deliveries: cancelled: it was put off" in plain(send_form(pages, page, "/admin/deliveries/act", form))
    again = plain(send_form(pages, page, "/admin/deliveries/act", form))
    assert "nothing was done: it has changed since you looked, and is cancelled now" in again
    entry = pages.get("/admin/api/audit?act=cancel").json()["items"][0]
    assert (entry["by"], entry["why"], entry["before"]) == ("operator", "too late", "put-off")
    (listed,) = pages.get("/admin/api/deliveries?state=put-off&sink=books").json()["items"]
    assert (listed["id"], listed["route"]) == (rows[2].split()[0], "invoices")
    story = pages.get(f"/admin/events/{listed['event_id']}")
    assert "it is made as soon as its sink has room" in plain(story)
    assert f"/admin/events/{listed['event_id']}#d-{listed['id']}" in pages.get(link).text
    shown = pages.get(f"/admin/deliveries/{listed['id']}")
    assert shown.headers["location"] == f"/admin/events/{listed['event_id']}#d-{listed['id']}"
    assert "books: put-off" in plain(pages.get("/admin/events"))
    token = {"X-Form-Token": field(page, "form_token")}
    would = {"kind": "cancel", "state": "put-off", "sink": "books", "dry_run": True}
    counted = pages.post("/admin/api/actions", json=would, headers=token).json()["preview"]
    assert (counted["results"], counted["total"]) == ({"done": 1}, 1)
    assert "It would do it to 1" in plain(pages.get("/admin/actions/new?kind=cancel&state=put-off&sink=books"))
    ids = [row.split()[0] for row in rows]
    cancelled = pages.post("/admin/api/deliveries/cancel", json={"ids": [ids[2], ids[0]]}, headers=token).json()
    assert [one["result"] for one in cancelled["results"]] == ["done", "cancelled"]
    assert "Nothing matches" in plain(pages.get(link))


def test_a_text_beside_a_state_of_deliveries_is_listed_and_leads_to_an_action_on_all(pages, relay) -> None:
    fail(relay, 2)
    relay.accept(lead(9, name="Двери"))
    relay.settle(Outcome.REJECTED, "books")
    sent_on = pages.get("/admin/events?q=ремонт+state:dead")
    page = pages.get(sent_on.headers["location"])
    assert (sent_on.status_code, page.status_code) == (303, 200)
    assert "“ремонт” was looked for in the hooks of 3 of 3 deliveries" in plain(page)
    assert len(re.findall('name="delivery"', page.text)) == 2
    (link,) = re.findall(r'href="(/admin/actions/new[^"]*)"', page.text)
    preview = pages.get(html.unescape(link))
    assert "It would do it to 2" in plain(preview)
    assert "“ремонт”" in plain(preview)


def test_all_of_one_cause_are_resent_by_an_action_that_is_begun_once(pages, relay) -> None:
    fail(relay, 3)
    link = "/admin/actions/new?kind=resend&sink=books&state=dead"
    page = pages.get(link)
    assert "It would do it to 3" in plain(page)
    form = [("kind", "resend"), ("sink", "books"), ("state", "dead"), ("rate", "50"), ("back", link)]
    assert "Say why" in plain(send_form(pages, page, "/admin/actions/start", [*form, ("why", "")]))
    begun = send_form(pages, page, "/admin/actions/start", [*form, ("why", "mended")])
    assert "Resend" in plain(begun)
    assert "looked at 0 of 3" in plain(begun)
    assert "has not ended" in plain(send_form(pages, page, "/admin/actions/start", [*form, ("why", "again")]))
    id = begun.url.path.rpartition("/")[2]
    for act, state in (("pause", "paused"), ("resume", "running"), ("abort", "aborted"), ("abort", "aborted")):
        changed = send_form(pages, begun, f"/admin/actions/{id}/change", [("act", act)])
        assert f"{id} {state}" in plain(changed)
    assert "it is aborted" in plain(changed)
    assert "mended" in plain(pages.get("/admin/actions"))


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("kind=resend", "an action needs a filter"),
        ("kind=resend&sink=books&rate=0", "from 1 to"),
        ("kind=resend&q=01a229cf-1ea8-7759-98a7-2964f28b133a", "takes filters"),
        ("kind=resend&sink=books&since=gestern", "is not a time"),
        ("kind=cancel&sink=nobody", "It would do it to 0"),
    ],
)
def test_an_action_that_makes_no_sense_is_not_begun(pages, query: str, line: str) -> None:
    assert line in plain(pages.get(f"/admin/actions/new?{query}"))


def test_what_is_not_there_gets_a_clear_page(pages) -> None:
    for path in ("/admin/actions/none", "/admin/sinks/none", "/admin/nothing"):
        assert pages.get(path).status_code == 404


def test_routes_show_what_they_made_and_their_part_of_the_file(pages, relay) -> None:
    relay.accept(lead(1), lead(2, price=5))
    shown = plain(pages.get("/admin/routes"))
    assert "invoices → books made: 1" in shown
    assert "everything → console made: 2" in shown
    assert "where: price: gt: 1000" in shown


def test_a_pasted_body_is_explained_and_nothing_is_stored(pages, relay, run) -> None:
    page = pages.get("/admin/routes")
    body = lead(7, price=10).decode()
    shown = plain(send_form(pages, page, "/admin/routes/explain", [("source", "acme"), ("body", body)]))
    assert '✗ does not match invoices price gt 1000: saw "10"' in shown
    assert "✓ matches everything" in shown
    assert run(relay.reader.newest_receipts(10)) == []
    malformed = plain(send_form(pages, page, "/admin/routes/explain", [("source", "acme"), ("body", "nonsense")]))
    assert "It would be malformed" in malformed
    assert "Paste the body" in plain(
        send_form(pages, page, "/admin/routes/explain", [("source", "acme"), ("body", "")])
    )
    (receipt,) = relay.accept(lead(8))
    assert "✓ matches invoices" in plain(pages.get(f"/admin/routes?event={receipt}.0"))
    assert field(page, "form_token")


def test_a_route_that_is_only_tried_out_says_so_and_how_much_it_made(open_pages, relay) -> None:
    config = CONFIG.replace("  - name: invoices\n", "  - name: invoices\n    shadow: true\n")
    pages = open_here(open_pages, config)
    relay.configure(config)
    relay.accept(lead(1), lead(2))
    shown = plain(pages.get("/admin/routes"))
    assert "only tried out: nothing is sent shadowed: 2 made: 2" in shown
    listed = plain(pages.get('/admin/deliveries?q=state:shadowed route:"invoices"'))
    assert listed.count("its route is only tried out") == 2


def test_asking_again_keeps_every_filter(pages):
    query = "kind=resend&sink=books&state=dead&event=add_lead&route=invoices&reason=422&cause=c1&source=gone"
    text = pages.get(f"/admin/actions/new?{query}").text
    _, _, form = text.partition('class="filters card"')
    form, _, _ = form.partition("</form>")
    kept = {"event": "add_lead", "route": "invoices", "reason": "422", "cause": "c1", "source": "gone"}
    for name, value in kept.items():
        assert form.count(f'name="{name}"') == 1
        assert f'<input type="hidden" name="{name}" value="{value}">' in form
    assert "route:invoices" in plain(pages.get(f"/admin/actions/new?{query}"))
