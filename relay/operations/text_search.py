"""Find a text in the bodies of hooks: a bounded part at a time, from a cursor on."""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar
from urllib.parse import unquote_plus

from msgspec.structs import replace

from relay.amocrm.content_encoding import inflate
from relay.amocrm.limits import MAX_BODY_SIZE
from relay.amocrm.remarks import ignore
from relay.errors import Malformed
from relay.model import Receipt
from relay.operations.search import PAGE, EventFilter, FoundEvent, FoundPage
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery

MOST_BODIES: Final = 5_000  # of a step
MOST_SEARCHED: Final = 100_000  # characters of a body

Found = TypeVar("Found", FoundEvent, StoredDelivery)


async def find_text(
    find: Callable[[Reader, EventFilter, float], Awaitable[FoundPage[Found]]],
    reader: Reader,
    filters: EventFilter,
    seconds: float,
) -> FoundPage[Found]:
    """Find what `find` finds by a filter, as far as the hooks have the filter's text in them, whatever its case.

    It ends after so much time, or with the page on which enough was found. Raises StoreUnavailable.
    """
    deadline = time.monotonic() + seconds
    found: list[Found] = []
    looked = 0
    searched = replace(filters, text="", limit=PAGE)
    page = await find(reader, searched, seconds)
    while True:
        having = await find_with_text(reader, map(receipt_of, page.items), filters.text)
        found += [one for one in page.items if receipt_of(one) in having]
        looked += page.looked
        left = deadline - time.monotonic()
        if page.next is None or len(found) >= filters.limit or looked >= MOST_BODIES or left <= 0:
            return replace(page, items=found, looked=looked)
        page = await find(reader, replace(searched, after=page.next), left)


def receipt_of(found: FoundEvent | StoredDelivery) -> str:
    """Return the id of the receipt that an event or a delivery came from."""
    return found.receipt.id if isinstance(found, FoundEvent) else found.event_id.partition(".")[0]


async def find_with_text(reader: Reader, receipts: Iterable[str], text: str) -> set[str]:
    """Return those of these receipts whose bodies have a text in them. Raises StoreUnavailable."""
    wanted = text.casefold()
    raw = await reader.raw_receipts(list(dict.fromkeys(receipts)))
    return {id for id, receipt in raw.items() if wanted in _searched(receipt)}


def _searched(receipt: Receipt) -> str:
    """Return what of a body is searched. It is only inflated: decoding it may be what killed a worker."""
    try:
        body = inflate(receipt.body, receipt.content_encoding, MAX_BODY_SIZE, ignore)
    except Malformed:
        body = receipt.body
    return unquote_plus(body.decode(errors="replace")[:MOST_SEARCHED]).casefold()
