"""A relay without processes, its pages open to a browser on this machine, and what a page shows."""

import html
import re
from collections.abc import Sequence

import httpx

from relay.amocrm.form import encode_form
from tests.integration.admin.conftest import HERE, Client, Open

CONFIG = """
sources:
  acme: {type: amocrm, token: acme-hook-token, account: {subdomain: acme}, timezone: Europe/Moscow}
sinks:
  books: {type: http, url: "https://books.example.com/v1", auth: {bearer: books-token-to-hide}, idempotency: none}
  console: {type: log}
routes:
  - name: invoices
    on: add_lead
    where: {price: {gt: 1000}}
    to: books
    body: {id: "{{ lead.id }}", phone: "+79161234567"}
  - name: everything
    on: [add_lead, update_lead]
    to: console
    text: "{{ lead.name }}"
"""


def open_here(open_pages: Open, config: str = CONFIG, **variables: str) -> Client:
    """Open the pages as somebody on this machine, who may act where no token is set."""
    return open_pages(peer=HERE, url="http://localhost:8000", config=config, **variables)


def plain(answer: httpx.Response) -> str:
    """Return the text of a page's main part, spaces and tags left out."""
    found = re.search(r"<main.*</main>", answer.text, re.DOTALL)
    assert found is not None, answer.text[:500]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found[0])).split())


def field(answer: httpx.Response, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, f"the page has no field {name}"
    return html.unescape(found[1])


def send_form(pages: Client, page: httpx.Response, to: str, fields: Sequence[tuple[str, str]]) -> httpx.Response:
    """Send a form of a page, and return the page that the browser then goes to, or the refusal."""
    form = "&".join(str(httpx.QueryParams({name: value})) for name, value in fields)
    token = httpx.QueryParams({"form_token": field(page, "form_token")})
    answer = pages.post(
        to, content=f"{token}&{form}", headers={"content-type": "application/x-www-form-urlencoded"}
    )  # fmt: skip
    return pages.get(answer.headers["location"].partition("#")[0]) if answer.status_code == 303 else answer


def lead(id: int, price: int = 1500, name: str = "Ремонт", phone: str = "+79161234567") -> bytes:
    """Write a hook about a new lead."""
    fields = {"id": str(id), "price": str(price), "name": name, "phone": phone}
    return encode_form({"account": {"subdomain": "acme"}, "leads": {"add": [fields]}})
