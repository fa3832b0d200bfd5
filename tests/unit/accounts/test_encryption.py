"""What the store holds of a secret tells nothing without the key."""

from pydantic import SecretStr

from relay.accounts.encryption import Encrypter

KEY = SecretStr("0123456789abcdef0123456789abcdef")


def test_only_the_key_opens() -> None:
    sealed = Encrypter(KEY).encrypt(b"hush-hush")
    assert b"hush" not in sealed
    assert Encrypter(KEY).decrypt(sealed) == b"hush-hush"
    assert Encrypter(SecretStr("another key, as long as the first")).decrypt(sealed) is None


def test_what_was_changed_does_not_open() -> None:
    sealed = bytearray(Encrypter(KEY).encrypt(b"hush-hush"))
    sealed[40] ^= 1
    assert Encrypter(KEY).decrypt(bytes(sealed)) is None
    assert Encrypter(KEY).decrypt(b"") is None
