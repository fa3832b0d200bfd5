"""Say who is meant: by a phone number, an e-mail address, a contact or a lead, and what the store knows besides."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from relay.masking.people import mask_people, mask_phone
from relay.model import Event, Record
from relay.operations.merged_pages import ask_all
from relay.operations.people_events import Person, events_of_receipt, own_hashes
from relay.operations.people_keys import PeopleKey
from relay.operations.searched_sets import sources_of
from relay.secret import SecretStr
from relay.store.people import PeopleIndex
from relay.store.reader import Reader

MOST_OWN_EVENTS: Final = 2_000
"""So many of the newest events of a contact are read for its other numbers and addresses."""


class PersonQuery(Record):
    """Who is meant: all that is given is one person. `source`: of which source the contact and the lead are."""

    phone: str = ""
    email: str = ""
    contact: str = ""
    lead: str = ""
    source: str = ""

    def described(self) -> str:
        """Return who that is, masked, for people."""
        named = {"phone": mask_phone(self.phone) if self.phone else "", "email": mask_people(self.email)}
        named |= {"contact": self.contact, "lead": self.lead, "source": self.source}
        return ", ".join(f"{name} {value}" for name, value in named.items() if value)


class KnownPerson(Record):
    """Who is meant, as the store knows them, and the key of these hashes.

    `secret`: of a key that was drawn for this search, because there is no RELAY_SECRET_KEY; then there is no index.
    `contacts`: those that have the number or the address, as "source:id".
    """

    person: Person
    key: PeopleKey
    secret: str = ""
    contacts: Sequence[str] = ()

    @property
    def indexed(self) -> bool:
        """Return whether the index of people knows these hashes."""
        return not self.secret


def check_query(query: PersonQuery) -> None:
    """Raise ValueError with what would be right where a query means nobody."""
    if not (query.phone or query.email or query.contact or query.lead):
        raise ValueError("say who: give a phone, an email, a contact or a lead")
    for id in filter(None, (query.contact, query.lead)):
        if not (id.isascii() and id.isdecimal()):
            raise ValueError(f"{id[:60]!r} is no id of a contact or lead: give its number in the account")
    key = PeopleKey(SecretStr("any"))  # only to see whether they can be read
    if query.phone:
        key.hash_phone(query.phone)
    if query.email:
        key.hash_email(query.email)


async def find_person(reader: Reader, query: PersonQuery, secret_key: SecretStr | None) -> KnownPerson:
    """Return whom a query means: with the contacts that have the number or address, and what else these have.

    Contacts are found by the index, so only with a secret key. Raises ValueError where it means nobody.
    Raises StoreUnavailable.
    """
    check_query(query)
    secret = "" if secret_key is not None else secrets.token_hex(16)
    key = PeopleKey(secret_key or SecretStr(secret))
    hashes = {key.hash_phone(query.phone)} if query.phone else set[str]()
    hashes |= {key.hash_email(query.email)} if query.email else set()
    entities = {(query.source, "lead", query.lead)} if query.lead else set()
    contacts = {(query.source, query.contact)} if query.contact else set[tuple[str, str]]()
    if hashes and not secret:
        contacts = contacts.union(*(await ask_all(reader, lambda one: _contacts_in(one, hashes, key))).values())
    hashes = hashes.union(*(await ask_all(reader, lambda one: _hashes_in(one, contacts, key))).values())
    entities |= {(source, "contact", id) for source, id in contacts}
    return KnownPerson(
        person=Person(hashes=frozenset(hashes), entities=frozenset(entities)),
        key=key,
        secret=secret,
        contacts=sorted(f"{source}:{id}".removeprefix(":") for source, id in contacts),
    )


async def _contacts_in(reader: Reader, hashes: set[str], key: PeopleKey) -> set[tuple[str, str]]:
    """Return the contacts in a shard that have one of some numbers and addresses, with their sources."""
    found = await _events(reader, await _indexed_ids(reader, hashes))
    return {
        (one.source, one.entity_id)
        for one in found
        if one.entity == "contact" and one.entity_id and not hashes.isdisjoint(own_hashes(one, key))
    }


async def _hashes_in(reader: Reader, contacts: set[tuple[str, str]], key: PeopleKey) -> set[str]:
    """Return the numbers and addresses that contacts have in a shard."""
    hashes: set[str] = set()
    for source, id in contacts:
        own = await _events(reader, await _ids_of_contact(reader, source, id))
        hashes |= {hash for one in own if one.entity == "contact" for hash in own_hashes(one, key)}
    return hashes


def index_keys(reader: Reader, person: Person, sources: Iterable[str]) -> list[str]:
    """Return the sorted sets of the events that are known to be about a person."""
    keys = [reader.keys.people(hash) for hash in sorted(person.hashes)]
    for source, entity, id in sorted(person.entities):
        keys += [reader.keys.events_of(one, entity, id) for one in ([source] if source else sources)]
    return keys


async def index_reach(reader: Reader, known: KnownPerson) -> int | None:
    """Return until which arrival the index of people has all (ms); None where there is no index of these hashes."""
    reach = await PeopleIndex(reader.client, reader.namespace).reach()
    return reach.score if known.indexed and reach.key == known.key.name else None


async def _indexed_ids(reader: Reader, hashes: Iterable[str]) -> list[str]:
    return await _newest(reader, [reader.keys.people(hash) for hash in hashes])


async def _ids_of_contact(reader: Reader, source: str, id: str) -> list[str]:
    names = await sources_of(reader, source)
    return await _newest(reader, [reader.keys.events_of(name, "contact", id) for name in names])


async def _newest(reader: Reader, keys: Sequence[str]) -> list[str]:
    found = [await reader.newest_members(key, MOST_OWN_EVENTS) for key in keys]
    return list(dict.fromkeys(id for ids in found for id in ids))


async def _events(reader: Reader, ids: Sequence[str]) -> list[Event]:
    receipts = list(dict.fromkeys(id.partition(".")[0] for id in ids))
    wanted, found = set(ids), list[Event]()
    for at in range(0, len(receipts), 100):
        raw = await reader.raw_receipts(receipts[at : at + 100])
        found += (event for one in raw.values() for event in events_of_receipt(one) if event.id in wanted)
    return found
