"""What people have said of problems, and since when each is known."""

from collections.abc import Iterable, Mapping

import msgspec
from redis.asyncio import Redis

from relay.facts.kinds import FactViews
from relay.model import Record
from relay.store.acts import Author
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

_KEEP, _SET_STATE = Script("keep_problems"), Script("set_problem_state", "_acting")
_ACTS = {"seen": "see", "muted": "mute", "new": "unmute"}


class ProblemNote(Record):
    """What is known of an open problem. Times are epoch milliseconds."""

    first_at: int  # when it was first found
    state: str = "new"  # new, seen, muted
    by: str = ""
    why: str = ""
    at: int | None = None  # when that was said
    muted_until: int | None = None


class ProblemFact(Record, array_like=True):
    """What it is as a fact that a problem opens: its kind, what is alike of that, and its views."""

    kind: str
    group: str
    views: FactViews


class ProblemNotes:
    """The notes of one relay's problems, by their ids. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def read(self) -> dict[str, ProblemNote]:
        """Read all notes."""
        found = await run_command(self._client.hgetall(self._keys.problems))
        return {id.decode(): _NOTE.decode(note) for id, note in found.items()}

    async def keep(self, open: Iterable[str], facts: Mapping[str, ProblemFact]) -> None:
        """Note which problems are open now; of all others the notes are forgotten, so that they come back as new.

        `facts`: what it is as a fact when one opens, by the problem's id.
        """
        await self._call(_KEEP, {"open": list(open), "facts": dict(facts)})

    async def set_state(self, id: str, state: str, author: Author, until: int | None = None) -> None:
        """Write that a problem is seen, muted until a time, or new again."""
        request = {"id": id, "state": state, "until_ms": until or 0, "act": _ACTS[state]}
        await self._call(_SET_STATE, {**request, "by": author.by, "why": author.why})


_NOTE = msgspec.json.Decoder(ProblemNote)
