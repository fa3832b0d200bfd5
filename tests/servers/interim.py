"""Answers before the answer (1xx). None of them says what became of the request."""

from tests.servers.heads import NONE, OK, PLAIN, SAID
from tests.servers.scripted import Row, says

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 5\r\n\r\n"
INTERIM = [
    Row("100 before the answer", says(_CONTINUE + OK), "200", PLAIN),
    Row("100, then the answer later", says(_CONTINUE, OK), "200", PLAIN),
    Row("103 with a length of its own", says(_HINTS + OK), "200", "RFC 9110, 15.2: it has no body"),
    Row("102 fifty times", says(b"HTTP/1.1 102 Processing\r\n\r\n" * 50 + OK), "200", PLAIN),
    Row("100, then it closes", says(_CONTINUE, then="close"), "unknown reset", NONE),
    Row("100, then it resets", says(_CONTINUE, then="reset"), "unknown reset", NONE),
    Row("100, then it hangs", says(_CONTINUE, then="hang"), "unknown timeout", NONE),
    Row("100, then nonsense", says(_CONTINUE + b"nonsense\r\n\r\n", then="close"), "unknown protocol", NONE),
    Row("100 that does not end", says(b"HTTP/1.1 100 Continue\r\nX: y\r\n", then="hang"), "unknown timeout", NONE),
    Row("100 with a bad header", says(b"HTTP/1.1 100 Continue\r\nX\r\n\r\n" + OK, then="close"), "200 cut", SAID),
    Row("100, then a status with a bad length", says(_CONTINUE + b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        "200 cut", SAID),
    Row("100, then a status that stays alone", says(_CONTINUE, b"HTTP/1.1 503 No\r\n", then="close"), "503 cut", SAID),
    Row("101", says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", then="close"),
        "unknown protocol", "it was not asked for"),
    Row("a 426 that wants another protocol", says(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\n"
        b"Connection: Upgrade\r\nContent-Length: 2\r\n\r\nno"), "426", SAID),
    Row("a 200 that offers another protocol", says(b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\n"
        b"Content-Length: 2\r\n\r\nok"), "200", "Apache does; it is an offer"),
]  # fmt: skip
