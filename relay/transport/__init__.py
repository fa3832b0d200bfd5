"""HTTP/1.1 calls: `call` sends a Request and returns a Response, or a TransportFailure that says why there is none.

What matters about a failure is whether the other side may have acted on the request. `TransportFailure.sent` says so,
and is true wherever that cannot be known. This is why the relay has its own exchange, over httptools' parser: no client
library reports it, and those that nearly do cost several times as much.
"""

from relay.transport.bodies import body_json, body_text, json_problem
from relay.transport.lookup_bounds import Asker
from relay.transport.messages import Answer, Request, Response, TransportFailure
from relay.transport.opened import OpenedConnection
from relay.transport.resolver import CachingResolver, Resolver
from relay.transport.session import Session, call

__all__ = [
    "Answer",
    "Asker",
    "CachingResolver",
    "OpenedConnection",
    "Request",
    "Resolver",
    "Response",
    "Session",
    "TransportFailure",
    "body_json",
    "body_text",
    "call",
    "json_problem",
]
