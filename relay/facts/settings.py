"""How facts are told."""

from typing import Literal

from relay.model import Record


class FactSettings(Record):
    """In which language facts are told, and where the operators' pages are: "https://relay.example.com"."""

    language: Literal["en", "ru"] = "en"
    pages: str = ""


PLAIN = FactSettings()
"""In English, and without the address of the pages."""
