"""Limit wrong logins of each peer, over all web processes; keep sessions: the subscription API's, and operators'."""

from hashlib import sha256

import msgspec
from redis.asyncio import Redis

from relay.store.clock import clock_of
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

WRONG_PER_LOGIN, PER_LOGIN_MS = 10, 15 * 60 * 1000
WRONG_PER_PEER, PER_PEER_MS = 300, 60 * 1000
SESSION_SECONDS = 15 * 60
_CHECK_LOGIN_RATE = Script("check_login_rate")


class Access:
    """Counters and sessions of one relay; keys hold digests only. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self.clock = clock_of(client)
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def check_login_rate(self, kind: str, peer: str, login: str, correct: bool) -> tuple[int, int]:
        """Count a peer's credentials if they were wrong.

        Returns how long the login, and the kind, must wait when they come from this peer (ms; 0: not). `login` is empty
        where credentials of this kind name none.
        """
        request = {
            "kind": kind,
            "peer": _digest(peer),
            "login": _digest(login) if login else "",
            "correct": correct,
            "most": WRONG_PER_LOGIN,
            "ms": PER_LOGIN_MS,
            "most_of_all": WRONG_PER_PEER,
            "ms_of_all": PER_PEER_MS,
        }
        return _WAITS.decode(await self._call(_CHECK_LOGIN_RATE, request))

    async def open_session(self, id: str, proof: str, seconds: int = SESSION_SECONDS) -> None:
        """Store for so long what proves whose session this is."""
        await run_command(self._client.set(self._keys.session(_digest(id)), proof, ex=seconds))

    async def end_session(self, id: str) -> None:
        """End a session, where there is one."""
        await run_command(self._client.delete(self._keys.session(_digest(id))))

    async def session(self, id: str) -> str:
        """Return the proof of a session; empty where there is no such session, or it has ended."""
        return (await run_command(self._client.get(self._keys.session(_digest(id)))) or b"").decode()


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


_WAITS = msgspec.msgpack.Decoder(tuple[int, int])
