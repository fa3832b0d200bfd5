"""What others say about our deliveries, without the people in them: their answers often repeat what we sent."""

import re

_EMAIL = re.compile(r"[^\s@\"'<>,;:=]+@[^\s@\"'<>,;:=]+\.[^\s@\"'<>,;:=]+")
# A number as people or E.164 write it; not a run of digits within an id or a decimal.
_PHONE = re.compile(r"(?<![\w.-])(?:\+\d|\b[78])[\s(-]{0,2}\d{3}[\s)-]{0,2}\d{3}[\s-]?\d{2}[\s-]?\d{2}(?![\w.-]\w)")


def without_people(text: str) -> str:
    """Mask e-mail addresses and phone numbers."""
    without_emails = _EMAIL.sub("***", text) if "@" in text else text
    return _PHONE.sub("***", without_emails)
