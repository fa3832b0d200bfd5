"""HTTP/1.1 as values: a request in, and out either an answer or why there is none. Knows nothing of any vendor.

What matters about a failure is one question: may the other side have acted on it? `TransportFailure.sent` answers it,
and says yes wherever that cannot be known. That is why the exchange is the relay's own, over httptools' parser: no
client library says it, and those that nearly do cost several times as much.
"""

from relay.transport.messages import Answer, Request, Response, TransportFailure
from relay.transport.session import Session, call

__all__ = ["Answer", "Request", "Response", "Session", "TransportFailure", "call"]
