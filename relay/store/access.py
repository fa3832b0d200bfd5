"""Who may enter: wrong credentials counted for all web processes together, and sessions that last a while."""

from hashlib import sha256

import msgspec
from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

WRONG_PER_LOGIN, PER_LOGIN_MS = 10, 15 * 60 * 1000
WRONG_OF_ALL, OF_ALL_MS = 300, 60 * 1000
SESSION_SECONDS = 15 * 60
_CHECK_LOGIN_RATE = Script("check_login_rate")


class Access:
    """Counters and sessions of one relay. Every method raises StoreUnavailable. No login or session stands in a key."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def check_login_rate(self, kind: str, login: str, right: bool) -> tuple[int, int]:
        """Count credentials if they were wrong. Answers for how long the login, and everybody, must wait (ms; 0: not).

        Everybody: who comes with credentials of this kind. `login` is empty where the credentials name none. Who must
        wait is not let in with right ones either.
        """
        request = {
            "kind": kind,
            "login": _digest(login) if login else "",
            "right": right,
            "most": WRONG_PER_LOGIN,
            "ms": PER_LOGIN_MS,
            "most_of_all": WRONG_OF_ALL,
            "ms_of_all": OF_ALL_MS,
        }
        return _WAITS.decode(await self._call(_CHECK_LOGIN_RATE, request))

    async def open_session(self, id: str, proof: str) -> None:
        """Keep what proves whose session this is for a quarter of an hour."""
        await run_command(self._client.set(self._keys.session(_digest(id)), proof, ex=SESSION_SECONDS))

    async def session(self, id: str) -> str:
        """Return the proof of a session; empty where there is none, or none any more."""
        return (await run_command(self._client.get(self._keys.session(_digest(id)))) or b"").decode()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


_WAITS = msgspec.msgpack.Decoder(tuple[int, int])
