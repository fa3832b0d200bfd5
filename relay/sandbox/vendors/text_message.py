"""A text message that a fake SMS vendor accepted."""

from relay.model import Record


class TextMessage(Record):
    """A text as the client sent it, with the id that the vendor knows it by."""

    id: str
    phone: str
    text: str
    sender: str
