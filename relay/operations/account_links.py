"""Where in amoCRM the thing of an event can be seen. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

from relay.config.config import Source

_PAGES: Final = {"lead": "leads", "contact": "contacts", "company": "companies", "customer": "customers"}
_ID: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


def account_link(source: Source | None, entity: str, entity_id: str) -> str:
    """Return the address of a lead, contact, company or customer in its account; empty where it is not known.

    The address that a hook itself gives is not used: anybody can write one.
    """
    if source is None or entity not in _PAGES or not _ID.fullmatch(entity_id):
        return ""
    if source.api is not None:
        parts = urlsplit(source.api.url)
        address = f"{parts.scheme}://{parts.netloc}"
    elif source.account.subdomain:
        address = f"https://{source.account.subdomain}.amocrm.ru"
    else:
        return ""
    return f"{address}/{_PAGES[entity]}/detail/{entity_id}"
