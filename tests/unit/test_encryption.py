"""What the store holds of a secret reveals nothing without the key."""

from relay.encryption import Encrypter
from relay.secret import SecretStr

KEY = SecretStr("0123456789abcdef0123456789abcdef")


def test_only_the_key_decrypts() -> None:
    encrypted = Encrypter(KEY).encrypt(b"hush-hush")
    assert b"hush" not in encrypted
    assert Encrypter(KEY).decrypt(encrypted) == b"hush-hush"
    assert Encrypter(SecretStr("another key, as long as the first")).decrypt(encrypted) is None


def test_what_was_changed_is_not_decrypted() -> None:
    encrypted = bytearray(Encrypter(KEY).encrypt(b"hush-hush"))
    encrypted[40] ^= 1
    assert Encrypter(KEY).decrypt(bytes(encrypted)) is None
    assert Encrypter(KEY).decrypt(b"") is None
