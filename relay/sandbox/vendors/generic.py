"""Any HTTP endpoint that honours idempotency keys: the same key and body is answered the same, another body refused."""

from typing import Final

import msgspec

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

REMEMBERED: Final = 100_000  # keys; a sandbox may be up for days


class Generic(Vendor):
    """Takes any method and path."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._made = 0
        self._answers: dict[str, tuple[bytes, Answer]] = {}

    def answer(self, arrived: VendorRequest) -> Answer:
        """Answer 200 with an id, the same again for a repeated key, 422 where its body differs."""
        if not arrived.key:
            return self._new()
        known = self._answers.get(arrived.key)
        if known is None:
            answer = self._new()
            self._remember(arrived, answer)
            return answer
        body, answer = known
        if body != arrived.body:
            refusal: Json = {"ok": False, "error": "this idempotency key came with another body before"}
            return Answer(content=refusal, status=422, stored=False)
        return msgspec.structs.replace(answer, stored=False, repeat=True)

    def _new(self) -> Answer:
        self._made += 1
        return Answer(content={"ok": True, "id": f"{self.name}-{self._made}"})

    def _remember(self, arrived: VendorRequest, answer: Answer) -> None:
        if len(self._answers) >= REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[arrived.key] = arrived.body, answer
