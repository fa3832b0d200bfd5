"""Encrypt what is secret before it goes into the store."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr


class Encrypter:
    """Seals and opens with a key that follows from RELAY_SECRET_KEY."""

    def __init__(self, secret_key: SecretStr) -> None:
        # A long random text, so that one pass of a hash makes a key of it: there is nothing to guess.
        key = hashlib.blake2b(secret_key.get_secret_value().encode(), digest_size=32, person=b"amo-relay vault")
        self._fernet = Fernet(base64.urlsafe_b64encode(key.digest()))

    def encrypt(self, secret: bytes) -> bytes:
        """Encrypt and sign."""
        return self._fernet.encrypt(secret)

    def decrypt(self, sealed: bytes) -> bytes | None:
        """Decrypt; None where it was sealed with another key, or changed since."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None
