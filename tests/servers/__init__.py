"""Servers that misbehave, as a table: what one does, what a client should make of it, and why.

What is right is written as `200` (that status, with all of its body), `200 cut` (it may be only a part of the body),
`unknown` (the request may have been applied) or `unsent` (it cannot have been), the last two with the kind of failure.
"""

from tests.servers.bodies import BODIES
from tests.servers.connections import CONNECTIONS
from tests.servers.heads import HEADS
from tests.servers.interim import INTERIM
from tests.servers.proxies import PROXIES
from tests.servers.tls import TLS

TABLE = {
    "status lines": HEADS,
    "interim answers": INTERIM,
    "bodies": BODIES,
    "connections": CONNECTIONS,
    "tls": TLS,
    "proxies": PROXIES,
}
