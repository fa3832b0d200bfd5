"""How people are found again without being named: keyed hashes of phone numbers and e-mail addresses. Pure."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Final

from relay.masking.people import find_people
from relay.secret import SecretStr

NEEDS_KEY: Final = (
    "there is no search by phone or e-mail without RELAY_SECRET_KEY, which keys the index of people: draw one by "
    "`openssl rand -base64 32`, set it for web, workers and commands, and start them again"
)
FEWEST_DIGITS: Final = 7
_SAME_DIGITS: Final = 9  # the last ones of a number, which all its spellings share
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class PeopleKey:
    """Hashes people by a key that follows from RELAY_SECRET_KEY; `name` says which key it is, and nothing of it."""

    def __init__(self, secret_key: SecretStr) -> None:
        secret = secret_key.get_secret_value().encode()
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"amo-relay people").digest()
        self.name = self._hash("name of the key")

    def hash_phone(self, number: str) -> str:
        """Return the hash of a number in any spelling. Raises ValueError for what is none."""
        digits = re.sub(r"\D", "", number)
        if len(digits) < FEWEST_DIGITS:
            raise ValueError(f"{number!r} is no phone number: give {FEWEST_DIGITS} digits at least")
        return self._hash(f"phone {digits[-_SAME_DIGITS:]}")

    def hash_email(self, address: str) -> str:
        """Return the hash of an address, in whatever case. Raises ValueError for what is none."""
        if not _EMAIL.fullmatch(address.strip()):
            raise ValueError(f"{address!r} is no e-mail address")
        return self._hash(f"email {address.strip().lower()}")

    def hash_text(self, text: str) -> str:
        """Return the hash of any text."""
        return self._hash(f"text {text}")

    def hashes_in(self, text: str) -> Iterator[str]:
        """Yield the hash of everybody whom a text names."""
        for person in find_people(text):
            try:
                yield self.hash_email(person) if "@" in person else self.hash_phone(person)
            except ValueError:  # looks like one, and is none
                continue

    def _hash(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.blake2b).hexdigest()[:24]


def hash_person(secret_key: SecretStr | None, phone: str, email: str) -> str:
    """Return how the index of people knows whoever is searched for; empty where nobody is.

    Raises ValueError for what is no number or address, and where there is no key.
    """
    if not phone and not email:
        return ""
    if phone and email:
        raise ValueError("search by a phone number or by an e-mail address, not by both")
    if secret_key is None:
        raise ValueError(NEEDS_KEY)
    key = PeopleKey(secret_key)
    return key.hash_phone(phone) if phone else key.hash_email(email)
