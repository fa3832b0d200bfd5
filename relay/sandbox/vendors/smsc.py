"""SMSC: errors inside 200, windows-1251 unless the charset is given, and repeated requests are refused."""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest
from relay.sandbox.vendors.text_message import TextMessage

GUARD_SECONDS: Final = 60.0
LONGEST: Final = 1000
REMEMBERED: Final = 10_000

_PRICE: Final = 240  # kopecks
_SEGMENT: Final = 70
_Form = Mapping[str, str]


class FakeSmsc(Vendor):
    """Takes `/sys/send.php`, `/sys/status.php`, `/sys/balance.php`.

    The password or key `wrong` is refused, the login `poor` has no money, and a text with `запрещено` is denied. The
    next `busy` requests get "too many concurrent requests"; `statuses` has the states of texts by id.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self.texts: list[TextMessage] = []
        self.statuses: dict[str, int] = {}
        self.busy = 0
        self._clock = clock
        self._seen: dict[bytes, float] = {}
        self._spent = 0
        self._ids = 3217

    def answer(self, request: VendorRequest) -> Answer:
        """Answer by the name of the script."""
        form = _read(request.body)
        if refusal := self._refusal(form):
            return refusal
        match request.path:
            case "/sys/send.php":
                return self._send(form, request.body)
            case "/sys/status.php":
                return self._status(form)
            case "/sys/balance.php":
                return _answer({"balance": self._balance})
        return Answer(content={"error": "not found"}, status=404, stored=False)

    @property
    def _balance(self) -> str:
        return _money(100_000 - self._spent)

    def _refusal(self, form: _Form) -> Answer | None:
        known = form.get("apikey") or (form.get("login") and form.get("psw"))
        if not known or "wrong" in (form.get("apikey"), form.get("psw")):
            return _error(2, "authorise error")
        if self.busy:
            self.busy -= 1
            return _error(9, "too many concurrent requests")
        return None

    def _send(self, form: _Form, body: bytes) -> Answer:
        phone, text, id = form.get("phones", ""), form.get("mes", ""), form.get("id") or self._next_id()
        if not text or len(text) > LONGEST or len(id) > 40 or len(form.get("sender", "")) > 15:
            return _error(1, "parameters error")
        if form.get("login") == "poor":
            return _error(3, "no money", id)
        if "запрещено" in text:
            return _error(6, "message is denied", id)
        if not phone.lstrip("+").isdigit() or not 11 <= len(phone.lstrip("+")) <= 15:
            return _error(7, "invalid number", id)
        if self._repeated(body):
            return _error(9, "duplicate request, wait a minute")
        self.texts.append(TextMessage(id=id, phone=phone, text=text, sender=form.get("sender", "")))
        count = -(-len(text) // _SEGMENT)
        self._spent += count * _PRICE
        costs: dict[str, Json] = {"cost": _money(count * _PRICE), "balance": self._balance}
        return Answer(content={"id": id, "cnt": count, **(costs if form.get("cost") == "3" else {})})

    def _repeated(self, body: bytes) -> bool:
        now = self._clock()
        again = now - self._seen.get(body, -GUARD_SECONDS) < GUARD_SECONDS
        if not again:
            self._seen[body] = now
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return again

    def _status(self, form: _Form) -> Answer:
        """Return the state of the last text with this id: ids are the clients' own, and not unique."""
        for text in reversed(self.texts):
            if text.id == form.get("id") and text.phone == form.get("phone"):
                return _answer({"status": self.statuses.get(text.id, 1), "cost": _money(_PRICE), "phone": text.phone})
        return _answer({"status": -3})

    def _next_id(self) -> str:
        self._ids += 1
        return str(self._ids)


def _read(body: bytes) -> _Form:
    """Decode a form in the charset that it names itself."""
    raw = body.decode("latin-1")
    charset = dict(parse_qsl(raw)).get("charset", "windows-1251")
    return dict(parse_qsl(raw, encoding=charset, errors="replace"))


def _money(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02}"


def _answer(content: Json) -> Answer:
    return Answer(content=content, stored=False)


def _error(code: int, text: str, id: str | None = None) -> Answer:
    return _answer({"error": text, "error_code": code, **({"id": id} if id else {})})
