"""Encrypt secrets before they are stored."""

import base64
import hashlib

from relay.secret import SecretStr


class Encrypter:
    """Encrypts and decrypts with a key that is derived from a secret: RELAY_SECRET_KEY, or one that stands for it."""

    def __init__(self, secret_key: SecretStr) -> None:
        from cryptography.fernet import Fernet  # loads OpenSSL: most processes and commands encrypt nothing

        # The secret is long and random, so one pass of a hash is enough: it cannot be guessed.
        key = hashlib.blake2b(secret_key.get_secret_value().encode(), digest_size=32, person=b"amo-relay vault")
        self._fernet = Fernet(base64.urlsafe_b64encode(key.digest()))

    def encrypt(self, secret: bytes) -> bytes:
        """Encrypt and sign."""
        return self._fernet.encrypt(secret)

    def decrypt(self, encrypted: bytes) -> bytes | None:
        """Decrypt. Returns None where it was encrypted with another key, or changed since."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(encrypted)
        except InvalidToken:
            return None
