"""A service that Apprise sends JSON to (`json://127.0.0.1:PORT/apprise/…`); a path with `wrong` in it is refused."""

from collections.abc import Mapping

import msgspec

from relay.model import AnyJson
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest


class FakeNotified(Vendor):
    """Keeps the notifications."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.notifications: list[Mapping[str, AnyJson]] = []

    def answer(self, request: VendorRequest) -> Answer:
        """Take a notification."""
        if "wrong" in request.path.split("/"):
            return Answer(content={"error": "no such key"}, status=403, stored=False)
        try:
            notification = msgspec.json.decode(request.body, type=dict[str, AnyJson])
        except msgspec.DecodeError:
            return Answer(content={"error": "no notification"}, status=400, stored=False)
        if not notification.get("message"):
            return Answer(content={"error": "no message"}, status=400, stored=False)
        self.notifications.append(notification)
        return Answer(content={"ok": True})
