"""Find a text in the bodies of hooks: a bounded part at a time, from a cursor on."""

import time
from typing import Final
from urllib.parse import unquote_plus

from msgspec.structs import replace

from relay.config.config import Config
from relay.model import Receipt
from relay.operations.search import PAGE, EventFilter, FoundEvent, FoundPage, find_events
from relay.operations.story_detail import read_body
from relay.store.reader import Reader

MOST_SECONDS: Final = 0.5  # after which no further page of bodies is read
MOST_BODIES: Final = 5_000


async def find_text(reader: Reader, config: Config, filters: EventFilter, text: str) -> FoundPage[FoundEvent]:
    """Find the events of a filter whose hooks have a text in them, whatever its case.

    It ends after so much work, or with the page on which enough was found; `looked` counts bodies. Raises
    StoreUnavailable.
    """
    wanted, deadline = text.casefold(), time.monotonic() + MOST_SECONDS
    found: list[FoundEvent] = []
    looked = 0
    page = await find_events(reader, replace(filters, limit=PAGE))
    while True:
        ids = list(dict.fromkeys(one.receipt.id for one in page.items))
        raw = await reader.raw_receipts(ids)
        having = {id for id, receipt in raw.items() if wanted in _searched(receipt, config)}
        found += [one for one in page.items if one.receipt.id in having]
        looked += page.looked
        if page.next is None or len(found) >= filters.limit or looked >= MOST_BODIES or time.monotonic() > deadline:
            return replace(page, items=found, looked=looked)
        page = await find_events(reader, replace(filters, limit=PAGE, after=page.next))


def _searched(receipt: Receipt, config: Config) -> str:
    return unquote_plus(read_body(receipt, config)[0]).casefold()
