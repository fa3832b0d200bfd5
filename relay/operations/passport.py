"""The passport of a person: which hooks speak of them, which sinks were sent what of it, and when."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from relay.config.config import Config
from relay.masking import mask_people_in_json, mask_secrets_in_json
from relay.model import Record
from relay.operations.merged_pages import Row, ask_all, merge_whole_rows
from relay.operations.people_query import KnownPerson, PersonQuery
from relay.operations.search import MOST_LISTED, format_cursor
from relay.operations.shard_passport import PassportEvent, ShardPassport
from relay.store.acts import Acts, Author
from relay.store.reader import Reader
from relay.store.wire.lists import Cursor

NOT_COVERED: Final = (
    "what names them in no other way than by a name, a nickname or a picture",
    "what retention has removed, and backups, which may still have it",
    "what amoCRM keeps, and what the sinks keep of what they were sent",
)
"""What a passport says of itself."""


class Passport(Record):
    """What the store has of a person, the newest first. `next`: where it goes on; null: there is no more.

    `contacts`: those that have the number or address. `found_by`: by the index of people, or by looking through all
    hooks; `looked`: at how many events, or hooks. `unreadable`: hooks that speak of them where they could not be read.
    """

    at: int
    person: str
    contacts: Sequence[str]
    found_by: Literal["index", "all"]
    looked: int
    total: int
    events: Sequence[PassportEvent]
    unreadable: Sequence[str]
    not_covered: Sequence[str]
    next: str | None


class PassportSearch:
    """Finds what speaks of a person. Its methods raise StoreUnavailable."""

    def __init__(self, reader: Reader, config: Config, known: KnownPerson) -> None:
        self._reader = reader
        self._config = config
        self._known = known

    async def read(
        self, query: PersonQuery, limit: int, after: Cursor | None, *, thorough: bool, seconds: float
    ) -> Passport:
        """Read a page of the passport, of all shards: so many events, or what was found in so many seconds.

        `thorough`: look through all hooks though there is an index. Of several shards a page may have some events more.
        """
        limit = min(limit, MOST_LISTED)
        pages = await ask_all(
            self._reader,
            lambda one: ShardPassport(one, self._config, self._known).read_page(
                query, limit, after, thorough=thorough, seconds=seconds
            ),
        )
        found = [page.found for page in pages.values()]
        events, cursor = merge_whole_rows(found, limit, _row_of) if len(found) > 1 else (found[0].items, found[0].next)
        return Passport(
            at=await self._reader.now(),
            person=query.described(),
            contacts=self._known.contacts,
            found_by="index" if all(page.indexed for page in pages.values()) else "all",
            looked=sum(one.looked for one in found),
            total=sum(one.total for one in found),
            events=[event for _, event in events],
            unreadable=[id for page in pages.values() for id in page.unreadable],
            not_covered=NOT_COVERED,
            next=None if cursor is None else format_cursor(cursor),
        )


async def note_shown(acts: Acts, query: PersonQuery, author: Author) -> None:
    """Write into the audit that a passport was shown, before it is. Raises StoreUnavailable."""
    await acts.note("reveal", f"person {query.described()}", author)


def mask_passport(passport: Passport) -> Passport:
    """Return a passport with people and secrets masked."""
    masked = mask_people_in_json(mask_secrets_in_json(msgspec.to_builtins(passport)))
    return replace(msgspec.convert(masked, Passport), next=passport.next)  # where it goes on is no one's number


def _row_of(found: tuple[str, PassportEvent]) -> Row:
    member, event = found
    return event.received_at, member
