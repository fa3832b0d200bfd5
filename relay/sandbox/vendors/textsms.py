"""A text message gateway of the old kind: whatever it says comes with status 200, as plain text in windows-1251."""

from typing import Final
from urllib.parse import parse_qsl

import msgspec

from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest
from relay.sandbox.vendors.text_message import TextMessage

_HEADERS: Final = {"Content-Type": "text/plain; charset=windows-1251"}
_PHONE_DIGITS: Final = 11


class FakeTextGateway(Vendor):
    """Takes a form with `key`, `to` and `text`: `OK:17`, or `ERROR:` with 2 (the key is `wrong`) or 14 (the number)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.texts: list[TextMessage] = []

    def answer(self, request: VendorRequest) -> Answer:
        """Accept a text, or refuse it."""
        form = dict(parse_qsl(request.body.decode(errors="replace")))
        phone = form.get("to", "").removeprefix("+")
        if form.get("key", "wrong") == "wrong":
            return _answer("ERROR:2 неверный ключ")
        if not (phone.isdecimal() and len(phone) == _PHONE_DIGITS):
            return _answer("ERROR:14 неверный номер")
        message = TextMessage(id=str(len(self.texts) + 1), phone=phone, text=form.get("text", ""), sender="")
        self.texts.append(message)
        return _answer(f"OK:{message.id}", stored=True)


def _answer(text: str, *, stored: bool = False) -> Answer:
    return Answer(content=msgspec.Raw(f"{text}\r\n".encode("windows-1251")), headers=_HEADERS, stored=stored)
