"""Texts of any length fit every page, and who comes by the keyboard sees where they are and hears what it is."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from relay.processes.supervisor import Processes
from relay.web.admin.menu import MENU
from tests.e2e.harness import HookSender, inject_fault, lead_hook, request_json, run_relay, until

SINK = "books-" + "of-a-long-name-" * 3
ROUTE = ("Счета-за-выигранные-сделки-🧾" * 10)[:120]
WORD = "Поставка-☕️-кофемашин_и_запчастей-" * 9
ADDRESS = f"https://app.example.com/{'a-very-long-path' * 14}"
CONFIG = f"""
sources:
  acme: {{type: amocrm, token: test-token, account: {{subdomain: acme}}, timezone: Europe/Moscow}}
sinks:
  {SINK}: {{type: http, url: "${{RELAY_SANDBOX_URL}}/{SINK}", idempotency: none}}
  console: {{type: log}}
routes:
  - name: "{ROUTE}"
    on: add_lead
    to: {SINK}
    body: {{lead: "{{{{ lead.id }}}}", name: "{{{{ lead.name }}}}"}}
  - {{name: "{ROUTE[:-1]}", on: add_contact, to: console, text: "{{{{ contact.custom['{WORD}'] }}}}"}}
"""
JSON = {"Content-Type": "application/json"}
WIDTHS = (390, 1440)
# What may be moved sideways beneath a finger: the menu, the numbers and the views of a phone.
ACROSS = ".menu, .strip, .tabs"
TOO_WIDE = """across => [...document.body.querySelectorAll('*')].filter(one => {
  const box = one.getBoundingClientRect()
  const end = Math.min(innerWidth, one.parentElement.closest('.card')?.getBoundingClientRect().right ?? innerWidth)
  return box.width && box.height && box.right > end + 1 && !one.closest(across) && one.checkVisibility()
    && !one.closest('.skip, .visually-hidden')
}).map(one => one.outerHTML.slice(0, 160))"""
CUT_OFF = """across => [...document.body.querySelectorAll('main *')].filter(one =>
  one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1 && getComputedStyle(one).overflowX !== 'visible'
    && !one.matches('input, select, textarea, svg *') && !one.closest(across)
).map(one => one.outerHTML.slice(0, 160))"""
# Each thing that the keyboard reaches, focused: its outline must be seen.
UNSEEN = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter(one => one.type !== 'hidden' && !one.disabled && one.checkVisibility())
  .filter(one => {
    one.focus({preventScroll: true})
    const seen = getComputedStyle(one)
    return document.activeElement === one && (seen.outlineStyle === 'none' || parseFloat(seen.outlineWidth) < 2)
  }).map(one => one.outerHTML.slice(0, 160))"""
WITHOUT_NAMES = frozenset({"RootWebArea", "generic", "group", "main"})


@pytest.fixture(scope="module")
def relay(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Run a relay in which every name and text is long, and something is wrong with each."""
    with run_relay(tmp_path_factory.mktemp("long"), CONFIG) as processes:
        yield processes


@pytest.fixture(scope="module")
def paths(relay: Processes) -> list[str]:
    """Fill it: what is held, what is dead, a pause, a subscription. Returns the addresses of all pages."""
    hooks = HookSender(relay)
    inject_fault(relay, fault="reset", vendor=SINK, after_storing=True)
    held = hooks.post_until_taken(lead_hook(7, name=WORD))["receipt"]
    dead = hooks.post_until_taken(f"contacts[add][0][id]=8&contacts[add][0][name]={WORD}".encode())["receipt"]
    hooks.post_until_taken(f"unsorted[add][0][uid]={'f575b754b0d1eb1c' * 5}".encode())
    hooks.post_until_taken(f"leads[{WORD}]=".encode())
    hooks.close()
    api = f"{relay.url}/admin/api"
    until(lambda: request_json(f"{api}/deliveries?state=held")["items"], what="a held delivery")
    until(lambda: request_json(f"{api}/deliveries?state=dead")["items"], what="a dead letter")
    request_json(f"{api}/sinks/{SINK}/pause", {"why": WORD[:300]}, headers=JSON)
    made = request_json(f"{api}/subscriptions", {
        "source": "acme", "url": ADDRESS, "events": ["add_lead"], "name": WORD[:200],
    }, headers=JSON)  # fmt: skip
    return [
        *(entry.path for entry in MENU), f"/admin/events/{held}.0", f"/admin/events/{dead}.0", f"/admin/sinks/{SINK}",
        f"/admin/deliveries?q=sink:{SINK}", "/admin/actions/new", f"/admin/events/{held}.0/replay",
        f"/admin/subscriptions/{made['id']}", f"/admin/events?q={WORD}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def found(browser: Browser, relay: Processes, paths: list[str]) -> dict[str, dict[str, list[Any]]]:
    """Visit every page once: what is too wide for each screen, what shows no focus, what has no name."""
    context = browser.new_context(locale="ru", base_url=f"http://127.0.0.1:{relay.port}")
    page = context.new_page()
    found: dict[str, dict[str, list[Any]]] = {}
    for path in paths:
        page.goto(path)
        page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
        looks = found[path] = {}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            looks[f"{width}"] = [*page.evaluate(TOO_WIDE, ACROSS), *page.evaluate(CUT_OFF, ACROSS)]
        page.keyboard.press("Tab")  # who comes by the keyboard is shown the focus
        looks["unseen"], looks["unnamed"] = page.evaluate(UNSEEN), nameless_controls(page)
    context.close()
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_screen(found: dict[str, dict[str, list[Any]]], width: int) -> None:
    assert {path: looks[f"{width}"] for path, looks in found.items() if looks[f"{width}"]} == {}


@pytest.mark.parametrize("what", ["unseen", "unnamed"])
def test_who_comes_by_the_keyboard_sees_the_focus_and_hears_names(
    found: dict[str, dict[str, list[Any]]], what: str
) -> None:
    assert {path: looks[what] for path, looks in found.items() if looks[what]} == {}


def nameless_controls(page: Page) -> list[Any]:
    """Return what the keyboard reaches and a screen reader has no name for, as the browser itself computes it."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        (node["role"]["value"], node["nodeId"])
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") not in WITHOUT_NAMES
        and any(one["name"] == "focusable" and one["value"].get("value") for one in node.get("properties", []))
        and not node.get("name", {}).get("value")
    ]  # fmt: skip
