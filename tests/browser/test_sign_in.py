"""Sign in with a browser, be refused, and add, save and test a subscription, in headless Chromium."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from relay.config.environment import environ
from relay.processes.supervisor import Processes

ADMIN, READ = "an-admin-token-of-this-test", "a-read-token-of-this-test"
CONFIG = """
sources: {acme: {type: amocrm, token: test-token, account: {subdomain: acme}}}
sinks: {console: {type: log}}
routes: []
subscribers: {allow: [127.0.0.1]}
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Run the web process with both tokens, its store, and the fakes: one of them is the application."""
    folder: Path = tmp_path_factory.mktemp("signed")
    (folder / "relay.yaml").write_text(CONFIG)
    ours = {"RELAY_CONFIG": str(folder / "relay.yaml"), "PYTHONPATH": str(Path.cwd()), "RELAY_LOG": "json"}
    tokens = {"RELAY_ADMIN_TOKEN": ADMIN, "RELAY_ADMIN_READ_TOKEN": READ}
    inherited = {name: value for name, value in environ().items() if name not in ("REDIS_URL", "PORT")}
    with Processes(folder / "x", {**inherited, **ours, **tokens}) as processes:
        processes.start("store", "sandbox", "web")
        yield processes


@pytest.fixture
def page(browser: Browser, web: Processes) -> Iterator[Page]:
    context = browser.new_context(base_url=web.url, locale="en")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, token: str, name: str = "") -> None:
    page.goto("/admin/subscriptions")
    page.get_by_label("Token").fill(token)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Sign in").click()


def test_a_subscription_is_added_saved_and_tested_by_who_signed_in(page: Page, web: Processes) -> None:
    sign_in(page, "a-wrong-token-for-this")
    expect(page.get_by_role("alert")).to_have_text("this is no token of this relay")
    sign_in(page, ADMIN, "Anna")
    expect(page).to_have_url(re.compile("/admin/subscriptions$"))
    page.get_by_role("link", name="New subscription").click()
    page.get_by_label("name", exact=True).fill("CRM")
    page.get_by_label("address").fill(f"{web.sandbox_url}/crm/hook")
    page.locator("input[value=add_lead]").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("input[value=add_lead]")).to_be_checked()
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#answer")).to_contain_text("The application took the sample.")
    page.goto("/admin/audit")
    expect(page.locator("tr[data-row]").first).to_contain_text("Anna")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/admin/audit")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_may_only_look_finds_no_buttons_and_is_refused(page: Page) -> None:
    sign_in(page, READ)
    expect(page.get_by_role("heading", name="Subscriptions")).to_be_visible()
    expect(page.get_by_role("link", name="New subscription")).to_have_count(0)
    page.goto("/admin/subscriptions/new")
    expect(page.get_by_text("You may look, and not save.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_label("address").fill("https://app.example.com/hook")
    page.locator("form[action='/admin/subscriptions/save']").evaluate("form => form.submit()")
    expect(page.get_by_role("alert")).to_contain_text("this sign-in may look")


def test_a_page_of_another_address_and_a_forged_form_change_nothing(page: Page, web: Processes) -> None:
    sign_in(page, ADMIN)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto("/admin/subscriptions/new")
    page.locator("main input[name=form_token]").evaluate("field => field.value = 'forged'")
    page.get_by_label("address").fill("https://app.example.com/forged")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("this form is out of date")
    form = f"<form method=post action='{web.url}/admin/sign-out'><button>go</button></form>"
    page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto("http://evil.example/")
    page.get_by_role("button", name="go").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto("/admin/subscriptions")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_text("app.example.com/forged")).to_have_count(0)
