"""Make one page of the pages of several shards: in the order of all of them, with one place to go on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from relay.store.wire.lists import Cursor

if TYPE_CHECKING:  # every command has the options of a search; few search
    from relay.operations.search import FoundPage
    from relay.store.reader import Reader

T = TypeVar("T")
Row: TypeAlias = tuple[int, str]
"""Where an item stands in a list: the score and the member of the row that it is of."""

_ALL_TAKEN: Final = 0


async def ask_all(reader: "Reader", call: Callable[["Reader"], Awaitable[T]]) -> Mapping[str, T]:
    """Ask the reader of each shard. Raises StoreUnavailable where none answers."""
    if len(reader.each) == 1:
        return {name: await call(one) for name, one in reader.each.items()}
    from relay.store.readers import Readers  # only where there are several

    assert isinstance(reader, Readers)  # no other has more than one shard
    return await reader.ask(call)


def merge_pages(
    pages: Sequence["FoundPage[T]"], limit: int, after: Cursor | None, row_of: Callable[[T], Row]
) -> tuple[list[T], Cursor | None]:
    """Return what all pages have down to where the first of them stopped, at most `limit`, and where to go on.

    Each page was searched from `after` on. What is behind that place is found again by the next search.
    """
    found, horizon = _in_order(pages, row_of)
    if len(found) <= limit:
        return [item for _, item in found], horizon
    kept = found[:limit]
    score, member = kept[-1][0]
    taken = sum(row == (score, member) for row, _ in kept)
    taken += after.taken if after is not None and (after.score, after.member) == (score, member) else 0
    ends = found[limit][0] != (score, member)
    return [item for _, item in kept], Cursor(score, member, _ALL_TAKEN if ends else taken)


def merge_whole_rows(
    pages: Sequence["FoundPage[T]"], limit: int, row_of: Callable[[T], Row]
) -> tuple[list[T], Cursor | None]:
    """Do the same where not all of a row is listed, so that nobody can count what was taken of one: none is divided."""
    found, horizon = _in_order(pages, row_of)
    end = min(limit, len(found))
    while 0 < end < len(found) and found[end][0] == found[end - 1][0]:
        end += 1
    if end == len(found):
        return [item for _, item in found], horizon
    return [item for _, item in found[:end]], Cursor(*found[end - 1][0], _ALL_TAKEN)


def _in_order(pages: Sequence["FoundPage[T]"], row_of: Callable[[T], Row]) -> tuple[list[tuple[Row, T]], Cursor | None]:
    """Return what all pages have down to where the first of them stopped, each with its row, and that place."""
    stops = [page.next for page in pages if page.next is not None]
    horizon = max(stops, key=lambda stop: (stop.score, stop.member), default=None)
    found: list[tuple[Row, T]] = []
    for page in pages:
        found += [(row, item) for item in page.items if _is_before(row := row_of(item), horizon, page.next)]
    found.sort(key=lambda one: one[0], reverse=True)  # stable: items of one row stay as they were listed
    return found, horizon


def _is_before(row: Row, horizon: Cursor | None, stop: Cursor | None) -> bool:
    """Return whether a row is listed before the search has stopped; `stop`: where its own page did."""
    return horizon is None or stop == horizon or row > (horizon.score, horizon.member)
