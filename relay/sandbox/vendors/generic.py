"""Any HTTP endpoint with idempotency keys: the same key gets the same answer, with another body it is refused."""

from typing import Final

import msgspec

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

MAX_KEYS: Final = 100_000  # a sandbox may run for days


class GenericVendor(Vendor):
    """Accepts any method and path."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._created = 0
        self._answers: dict[str, tuple[bytes, Answer]] = {}

    def answer(self, request: VendorRequest) -> Answer:
        """Answer 200 with an id; the same again for a repeated key, or 422 where its body differs."""
        if not request.key:
            return self._new()
        known = self._answers.get(request.key)
        if known is None:
            answer = self._new()
            self._remember(request, answer)
            return answer
        body, answer = known
        if body != request.body:
            refusal: Json = {"ok": False, "error": "this idempotency key came with another body before"}
            return Answer(content=refusal, status=422, stored=False)
        return msgspec.structs.replace(answer, stored=False, repeat=True)

    def _new(self) -> Answer:
        self._created += 1
        return Answer(content={"ok": True, "id": f"{self.name}-{self._created}"})

    def _remember(self, request: VendorRequest, answer: Answer) -> None:
        if len(self._answers) >= MAX_KEYS:
            del self._answers[next(iter(self._answers))]
        self._answers[request.key] = request.body, answer
