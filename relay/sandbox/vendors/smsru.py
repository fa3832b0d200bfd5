"""SMS.ru: the top-level OK only means that the request was read; each number has a code of its own."""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest
from relay.sandbox.vendors.text_message import TextMessage

REPEATED_SECONDS: Final = 60.0
UNREACHABLE_END: Final = "0000"
_PRICE: Final = 3.5


class FakeSmsru(Vendor):
    """Takes `/sms/send` and `/my/balance`.

    The api_id `wrong` is refused. A number that ends with 0000 is refused under a top-level OK, with its code in
    `codes` or 202; so is any other number in `codes`.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self.texts: list[TextMessage] = []
        self.codes: dict[str, int] = {}
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}

    def answer(self, request: VendorRequest) -> Answer:
        """Answer by the path."""
        form = dict(parse_qsl(request.body.decode(errors="replace")))
        if form.get("api_id", "wrong") == "wrong":
            return _answer({"status": "ERROR", "status_code": 200, "status_text": "Неправильный api_id"})
        match request.path:
            case "/sms/send":
                return self._send(form)
            case "/my/balance":
                return _answer({"status": "OK", "status_code": 100, "balance": self._balance})
        return _answer({"status": "ERROR", "status_code": 211, "status_text": "Метод не найден"})

    @property
    def _balance(self) -> float:
        return 1000 - len(self.texts) * _PRICE

    def _send(self, form: Mapping[str, str]) -> Answer:
        phone, text = form.get("to", "").removeprefix("+"), form.get("msg", "")
        if not text:
            return _answer({"status": "ERROR", "status_code": 203, "status_text": "Нет текста сообщения"})
        code = self.codes.get(phone, 202 if phone.endswith(UNREACHABLE_END) else self._repeated(phone, text))
        if code != 100:
            return self._answer_for(phone, {"status": "ERROR", "status_code": code, "status_text": "Не отправлено"})
        id = f"000000-{10_000_000 + len(self.texts)}"
        self.texts.append(TextMessage(id=id, phone=phone, text=text, sender=form.get("from", "")))
        self._last[phone, text] = self._clock()
        return self._answer_for(phone, {"status": "OK", "status_code": 100, "sms_id": id}, stored=True)

    def _repeated(self, phone: str, text: str) -> int:
        last = self._last.get((phone, text), -REPEATED_SECONDS)
        return 231 if self._clock() - last < REPEATED_SECONDS else 100

    def _answer_for(self, phone: str, result: dict[str, Json], *, stored: bool = False) -> Answer:
        content: Json = {"status": "OK", "status_code": 100, "sms": {phone: result}, "balance": self._balance}
        return Answer(content=content, stored=stored)


def _answer(content: Json) -> Answer:
    return Answer(content=content, stored=False)
