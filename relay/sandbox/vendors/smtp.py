"""A mail server, step by step: what it answers to each command of SMTP. `relay.sandbox.smtp` speaks it.

A step is a request by its path: `/connect`, `/ehlo`, `/starttls`, `/auth`, `/mail`, `/rcpt`, `/data` and, with the
whole message as its body, `/message`; the status is the code of the reply. The password `wrong` is refused, a sender
called `nobody`, an address called `unknown` for good and one called `busy` for now, and a message with `spam` in its
subject.
"""

import re
from collections.abc import Mapping
from typing import Final

from relay.model import Record
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

FROM, TO = "mail-from", "rcpt-to"
"""The headers of a message's request: who it is from, and for, separated by commas."""
_ADDRESS: Final = re.compile(r"(?:FROM|TO):<([^<>\s]+)>.*", re.IGNORECASE)
_REPLIES: Final[Mapping[str, tuple[int, str]]] = {
    "/connect": (220, "sandbox.example.com ESMTP"),
    "/starttls": (220, "2.0.0 go on"),
    "/data": (354, "end with a dot on a line of its own"),
    "/noop": (250, "2.0.0 ok"),
    "/rset": (250, "2.0.0 ok"),
    "/quit": (221, "2.0.0 bye"),
}
_SPAM: Final = re.compile(rb"^Subject:.*\bspam\b", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID: Final = re.compile(rb"^Message-ID: *(\S+)", re.IGNORECASE | re.MULTILINE)


class Mail(Record):
    """A message that it took."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes


class FakeMailServer(Vendor):
    """Keeps the mail that it takes. It takes the same Message-ID again, as mail servers do, and says so in its log."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.mails: list[Mail] = []
        self.connections = 0
        self._ids: set[bytes] = set()

    def answer(self, request: VendorRequest) -> Answer:
        """Answer a step; the body is what follows the command."""
        given = request.body.decode(errors="replace")
        match request.path:
            case "/connect":
                self.connections += 1
            case "/auth":
                return (
                    _reply(535, "5.7.8 wrong login or password")
                    if given.endswith("\0wrong")
                    else _reply(235, "2.7.0 ok")
                )
            case "/mail":
                return self._answer_address(given, {"nobody": (553, "5.7.1 not your address")})
            case "/rcpt":
                refusals = {"unknown": (550, "5.1.1 no such user here"), "busy": (450, "4.2.0 come back later")}
                return self._answer_address(given, refusals)
            case "/message":
                return self._take(request)
        code, text = _REPLIES.get(request.path, (502, "5.5.1 unknown command"))
        return Answer(content=text, status=code, stored=False)

    def _answer_address(self, given: str, refusals: Mapping[str, tuple[int, str]]) -> Answer:
        found = _ADDRESS.fullmatch(given)
        if found is None:
            return _reply(501, "5.5.4 no address")
        code, text = refusals.get(found[1].partition("@")[0], (250, "2.1.0 ok"))
        return _reply(code, f"{text} <{found[1]}>")

    def _take(self, request: VendorRequest) -> Answer:
        head = request.body.partition(b"\r\n\r\n")[0]
        if _SPAM.search(head):
            return _reply(554, "5.7.1 this looks like spam")
        found = _MESSAGE_ID.search(head)
        id = found[1] if found else b""
        repeat = id in self._ids
        self._ids.add(id)
        recipients = tuple(request.headers.get(TO, "").split(","))
        self.mails.append(Mail(sender=request.headers.get(FROM, ""), recipients=recipients, message=request.body))
        return Answer(content=f"2.0.0 queued as {len(self.mails)}", status=250, repeat=repeat)


def _reply(code: int, text: str) -> Answer:
    return Answer(content=text, status=code, stored=False)
