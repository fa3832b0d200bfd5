"""The index of people: which events speak of a phone number or an e-mail address. It holds keyed hashes only."""

from collections.abc import Sequence

from redis.asyncio import Redis

from relay.model import Record
from relay.store.arrivals import read_arrivals
from relay.store.commands import run_command
from relay.store.fields import PeopleField
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

_INDEX = Script("index_people", "_packed")


class Reach(Record):
    """How far the index reaches: the arrival of the last receipt in it (ms; 0: none), under which key."""

    key: str = ""
    score: int = 0
    member: str = ""


class PersonRow(Record, array_like=True, kw_only=False):
    """An event, and the hashes of the people that it speaks of."""

    receipt: str
    index: int
    hashes: Sequence[str]


class PeopleIndex:
    """The index of one relay. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def reach(self) -> Reach:
        """Return how far the index reaches."""
        fields = (PeopleField.KEY, PeopleField.SCORE, PeopleField.MEMBER)
        key, score, member = await run_command(self._client.hmget(self._keys.people_index, *fields))
        return Reach() if key is None else Reach(key=key.decode(), score=int(score), member=member.decode())

    async def arrivals(self, after: Reach, until: int, most: int) -> list[tuple[str, int]]:
        """Return the receipts that arrived behind a place and until a time, the oldest first, with their arrivals."""
        return await read_arrivals(self._client, self._keys, (after.score, after.member), until, most)

    async def looked_up(self, most: int) -> list[str]:
        """Return deliveries whose content a look-up has made lately: who it speaks of may not be in the hook."""
        return [id.decode() for id in await run_command(self._client.lrange(self._keys.looked_up, 0, most - 1))]

    async def write(self, rows: Sequence[PersonRow], reach: Reach, looked_up: int) -> None:
        """Write rows, how far the index reaches with them, and that so many of `looked_up` are done."""
        request = {"rows": rows, "key": reach.key, "score": reach.score, "member": reach.member}
        await self._call(_INDEX, {**request, "looked_up": looked_up})
