"""Sessions of operators who signed in with a browser.

They are kept in the store, not signed into the cookie: signing out ends one for every web process at once, and nobody
who reads the store can use one, because it knows only digests. What is stored is proved by the token that was given, so
a changed token ends its sessions.
"""

import secrets
from typing import Final

import msgspec

from relay.model import Record
from relay.store.access import Access
from relay.web.admin.rights import How, Operator
from relay.web.operator_access import OperatorTokens, Right

SESSION_SECONDS: Final = 12 * 3600  # a working day; nothing prolongs it
_PREFIX: Final = "operator "  # these are never sessions of the subscription API, nor the other way round


class _Stored(Record):
    by: str
    right: Right
    proof: str


class Sessions:
    """Opens, finds and ends sessions. Every method raises StoreUnavailable."""

    def __init__(self, tokens: OperatorTokens, access: Access) -> None:
        self._tokens = tokens
        self._access = access

    async def open(self, by: str, right: Right) -> str:
        """Open a session, and return the id that its cookie carries."""
        id = secrets.token_urlsafe(32)
        stored = _Stored(by=by, right=right, proof=self._tokens.proof(right, id))
        await self._access.open_session(_PREFIX + id, msgspec.json.encode(stored).decode(), SESSION_SECONDS)
        return id

    async def find(self, id: str) -> Operator | None:
        """Return whose session this is; None: there is no such one, it has ended, or its token has changed."""
        text = await self._access.session(_PREFIX + id) if id else ""
        if not text:
            return None
        stored = msgspec.json.decode(text, type=_Stored)
        proof = self._tokens.proof(stored.right, id)
        if not proof or not secrets.compare_digest(proof, stored.proof):
            return None
        return Operator(by=stored.by, right=stored.right, how=How.SESSION)

    async def end(self, id: str) -> None:
        """End a session, where there is one."""
        await self._access.end_session(_PREFIX + id)
