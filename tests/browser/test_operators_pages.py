"""What an operator does in a browser, and what only a browser shows: live numbers, keys, languages, contrast."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from relay.processes.supervisor import Processes
from relay.web.admin.menu import MENU
from tests.browser.conftest import Open, clear_faults
from tests.e2e.harness import HookSender, lead_hook, until

PATHS = [entry.path for entry in MENU]
SERIOUS = ("serious", "critical")


def lead_of(number: int) -> int:
    """Return the id of a lead that no other test uses."""
    return 25_399_000 + number


def test_a_leads_story_is_found_and_says_why_a_route_did_not_match(open_page: Open, hooks: HookSender) -> None:
    hooks.post_until_taken(lead_hook(lead_of(1), price="200"))
    page = open_page("/admin")
    page.keyboard.press("/")
    page.keyboard.type(f"lead:{lead_of(1)}")
    page.keyboard.press("Enter")
    found = page.locator("tr[data-row]")
    expect(found.get_by_text("console: delivered")).to_be_visible()
    found.get_by_role("link", name="add_lead").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"add_lead of lead {lead_of(1)}")
    expect(page.locator(".routes .no")).to_contain_text('price gt 1000: saw "200"')
    expect(page.locator(".line .good .what")).to_contain_text("attempt 1: delivered")


def test_a_held_one_is_confirmed_and_the_audit_says_by_whom(open_page: Open, hooks: HookSender, faults) -> None:
    faults(fault="reset", vendor="ledger", after_storing=True)
    hooks.post_until_taken(lead_hook(lead_of(2)))
    page = open_page(f"/admin/events?q=lead:{lead_of(2)}")
    page.set_viewport_size({"width": 1000, "height": 300})
    page.get_by_role("link", name="books: held").click()  # appears by itself: the page is live
    expect(page).to_have_url(re.compile("#"))
    asked_for = page.locator(f"[id='{page.url.partition('#')[2]}']")  # a live page puts a new element in its place
    until(lambda: is_beneath_the_frame(page, asked_for), what="the card to be in view, and not hidden by the frame")
    expect(page.locator(".next")).to_contain_text("a person must decide")
    page.get_by_label("Reason, for the audit").first.fill("seen in the ledger")
    page.get_by_role("button", name="It arrived").click()
    expect(page.locator("main > .note.good")).to_contain_text(": delivered")
    expect(page.get_by_role("button", name="It arrived")).to_have_count(0)
    page.goto("/admin/audit")
    expect(page.get_by_text("seen in the ledger")).to_be_visible()


def is_beneath_the_frame(page: Page, card: Locator) -> bool:
    """Tell whether a card is in view and begins beneath the frame that stays at the top."""
    frame, found = page.locator(".top").bounding_box(), card.bounding_box()
    return frame["y"] + frame["height"] < found["y"] < page.viewport_size["height"]


def test_a_sink_is_paused_and_resumed_and_meanwhile_its_deliveries_wait(open_page: Open, hooks: HookSender) -> None:
    page = open_page("/admin/sinks/books")
    page.get_by_label("Why nothing shall leave").fill("their server moves")
    page.get_by_role("button", name="Pause the sink").click()
    expect(page.locator("main")).to_contain_text("their server moves")
    hooks.post_until_taken(lead_hook(lead_of(3)))
    other = open_page("/admin/deliveries?state=pending&sink=books")
    expect(other.locator("tr[data-row]").first).to_contain_text("its sink is paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".history")).to_contain_text("resumed by operator")
    expect(other.get_by_text("Nothing matches.")).to_be_visible()


def test_a_number_changes_live_unless_it_is_paused(open_page: Open, hooks: HookSender) -> None:
    page = open_page("/admin/routes")
    made = page.locator(".card", has_text="everything").get_by_text(re.compile("^made: "))
    before = made.inner_text()
    hooks.post_until_taken(lead_hook(lead_of(4), price="200"))
    expect(made).not_to_have_text(before)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")


def test_200_dead_letters_of_one_cause_are_resent_and_the_progress_is_watched(
    open_page: Open, relay: Processes, hooks: HookSender, faults
) -> None:
    faults(fault="status", status=422, vendor="ledger", times=-1)
    for number in range(200):
        hooks.post_until_taken(lead_hook(lead_of(1000 + number)))
    page = open_page("/admin/sinks/books")
    expect(page.get_by_role("link", name="All 200 of this cause…")).to_be_visible(timeout=120_000)
    clear_faults(relay)
    page.get_by_role("link", name="All 200 of this cause…").click()
    expect(page.get_by_role("heading", name="It would do it to 200")).to_be_visible()
    page.get_by_label("Reason, for the audit").fill("their rules are mended")
    page.get_by_role("button", name="Start it").click()
    expect(page.locator("#progress")).to_have_attribute("value", "100", timeout=120_000)  # without a reload
    expect(page.locator("main")).to_contain_text("done: 200")
    page.goto("/admin/sinks/books")
    expect(page.locator("tr[data-row]").get_by_text("dead", exact=True)).to_have_count(0, timeout=120_000)


def test_keys_lead_everywhere_and_a_button_says_which(open_page: Open, hooks: HookSender) -> None:
    hooks.post_until_taken(lead_hook(lead_of(5), price="200"))
    page = open_page("/admin/problems")
    for entry in MENU[1:4]:
        page.keyboard.press("g")
        page.keyboard.press(entry.key)
        expect(page).to_have_url(re.compile(f"{entry.path}$"))
        page.wait_for_load_state()
    page.goto("/admin/events")
    page.keyboard.press("j")
    expect(page.locator("tr[data-row]").first.locator("a").first).to_be_focused()
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog")).to_contain_text("next and previous row")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_every_page_is_fit_for_everybody(open_page: Open, hooks: HookSender) -> None:
    """Axe finds nothing serious, in the light."""
    receipt = hooks.post_until_taken(lead_hook(lead_of(6), price="200"))["receipt"]
    story = f"/admin/events/{receipt}"
    page = open_page(story)
    until(lambda: page.reload() and page.locator(".line").count(), what="routing")
    paths = [story, *PATHS, "/admin/sinks/books", f"{story}.0/replay", "/admin/actions/new"]
    for path in paths:
        page.goto(path)
        assert serious_findings(page) == [], path


def test_every_page_fits_a_phone_and_is_in_russian(open_page: Open, hooks: HookSender) -> None:
    receipt = hooks.post_until_taken(lead_hook(lead_of(7), price="200"))["receipt"]
    page = open_page(f"/admin/events/{receipt}", width=390, language="ru", theme="dark")
    until(lambda: page.reload() and page.locator(".line").count(), what="routing")
    assert serious_findings(page) == []
    for path in [*PATHS, "/admin/sinks/books", "/admin/actions/new"]:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == "ru"
        assert re.search("[а-я]", page.get_by_role("heading", level=1).inner_text()), path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"
        expect(page.locator(".menu [aria-current]")).to_be_in_viewport(ratio=1)


def serious_findings(page: Page) -> list[tuple[str, str]]:
    """Return what axe finds that keeps people out: which rule, and where."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(one["id"], node["html"][:160]) for one in found if one["impact"] in SERIOUS for node in one["nodes"]]


def test_the_language_and_the_theme_are_chosen_and_stay(open_page: Open) -> None:
    page = open_page("/admin/sinks")
    page.get_by_title("Language and theme").click()
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Получатели")
    page.get_by_title("Язык и тема").click()
    page.get_by_role("link", name="Тёмная").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/admin/events")
    expect(page.get_by_role("heading", level=1)).to_have_text("События")


def test_who_reads_keeps_the_place_while_the_page_changes(open_page: Open, hooks: HookSender) -> None:
    """What has the focus stays where it is on the screen, and marks stay on what was marked."""
    for number in range(30):
        hooks.post_until_taken(lead_hook(lead_of(3000 + number), price="200"))
    page = open_page("/admin/deliveries?sink=console", width=390)
    until(lambda: page.reload() and page.locator("tr[data-row]").count() >= 30, what="30 rows")
    page.evaluate("scrollTo(0, 1500)")
    row = page.locator("tr[data-row]").nth(12)
    box, link = row.get_by_role("checkbox"), row.get_by_role("link")
    box.check()
    link.focus()
    name, marked = link.get_attribute("href"), box.get_attribute("value")
    page.evaluate(
        "name => { window.row = document.activeElement.closest('tr'); window.at = row.getBoundingClientRect().top }",
        name,
    )
    first = page.locator("tr[data-row]").first.inner_text()
    hooks.post_until_taken(lead_hook(lead_of(3100), price="200"))
    expect(page.locator("tr[data-row]").first).not_to_have_text(first)
    expect(page.locator(f"a[href='{name}']")).to_be_focused()
    assert page.evaluate("row.isConnected && Math.abs(row.getBoundingClientRect().top - at) < 2")
    expect(page.locator(f"input[value='{marked}']")).to_be_checked()
    expect(page.locator("tbody :checked")).to_have_count(1)


def test_what_somebody_has_opened_stays_open_and_scrolled(open_page: Open, hooks: HookSender) -> None:
    many = {f"field_{number}": "1" for number in range(60)}
    receipt = hooks.post_until_taken(lead_hook(lead_of(8), price="200", **many))["receipt"]
    page = open_page(f"/admin/events/{receipt}")
    until(lambda: page.reload() and page.locator("details").count() > 1, what="routing")
    page.set_viewport_size({"width": 390, "height": 500})
    opened = page.locator("main details").first
    opened.locator("summary").click()
    raw = page.locator("pre").last
    raw.evaluate("one => { one.scrollTop = 40; window.raw = one }")
    updated = page.locator("#updated-at").get_attribute("data-at")
    hooks.post_until_taken(lead_hook(lead_of(9), price="200"))
    expect(page.locator("#updated-at")).not_to_have_attribute("data-at", updated)
    expect(opened).to_have_attribute("open", "")
    assert page.evaluate("raw.isConnected && raw.scrollTop === 40")


def test_a_search_for_a_text_goes_on_by_itself(open_page: Open, relay: Processes, hooks: HookSender) -> None:
    """Whatever a step of the server comes to, all are found in the end, without a click."""
    for number in range(3):
        hooks.post_until_taken(lead_hook(lead_of(4000 + number), price="200", name="Редкое слово"))
    for number in range(150):
        hooks.post_until_taken(lead_hook(lead_of(4100 + number), price="200"))
    page = open_page("/admin/events?q=редкое")
    expect(page.locator("tr[data-row]")).to_have_count(3)
    expect(page.locator("a[data-go-on]")).to_have_count(0)
    expect(page.locator("#looked")).to_contain_text("was looked for in the bodies")
