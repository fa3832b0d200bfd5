"""SMS.ru as its clients meet it: OK says that the request was read, and each number has a code of its own."""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from relay.model import Json, Record
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

REPEATED_SECONDS: Final = 60.0
NO_WAY: Final = "0000"
_PRICE: Final = 3.5


class Text(Record):
    """A text that they took."""

    id: str
    phone: str
    text: str
    sender: str


class Smsru(Vendor):
    """Takes `/sms/send` and `/my/balance`.

    It does not know the api_id `wrong`. A number that ends with 0000 is refused under a top-level OK, with its code in
    `codes` or 202; so is any other number that is in `codes`.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self.texts: list[Text] = []
        self.codes: dict[str, int] = {}
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}

    def answer(self, arrived: VendorRequest) -> Answer:
        """Take a request by its path."""
        form = dict(parse_qsl(arrived.body.decode(errors="replace")))
        if form.get("api_id", "wrong") == "wrong":
            return _said({"status": "ERROR", "status_code": 200, "status_text": "Неправильный api_id"})
        match arrived.path:
            case "/sms/send":
                return self._send(form)
            case "/my/balance":
                return _said({"status": "OK", "status_code": 100, "balance": self._balance})
        return _said({"status": "ERROR", "status_code": 211, "status_text": "Метод не найден"})

    @property
    def _balance(self) -> float:
        return 1000 - len(self.texts) * _PRICE

    def _send(self, form: Mapping[str, str]) -> Answer:
        phone, text = form.get("to", "").removeprefix("+"), form.get("msg", "")
        if not text:
            return _said({"status": "ERROR", "status_code": 203, "status_text": "Нет текста сообщения"})
        code = self.codes.get(phone, 202 if phone.endswith(NO_WAY) else self._repeated(phone, text))
        if code != 100:
            return self._about(phone, {"status": "ERROR", "status_code": code, "status_text": "Не отправлено"})
        id = f"000000-{10_000_000 + len(self.texts)}"
        self.texts.append(Text(id=id, phone=phone, text=text, sender=form.get("from", "")))
        self._last[phone, text] = self._clock()
        return self._about(phone, {"status": "OK", "status_code": 100, "sms_id": id}, stored=True)

    def _repeated(self, phone: str, text: str) -> int:
        last = self._last.get((phone, text), -REPEATED_SECONDS)
        return 231 if self._clock() - last < REPEATED_SECONDS else 100

    def _about(self, phone: str, said: dict[str, Json], *, stored: bool = False) -> Answer:
        content: Json = {"status": "OK", "status_code": 100, "sms": {phone: said}, "balance": self._balance}
        return Answer(content=content, stored=stored)


def _said(content: Json) -> Answer:
    return Answer(content=content, stored=False)
