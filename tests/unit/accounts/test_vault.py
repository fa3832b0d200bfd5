"""What the store holds of a secret tells nothing without the key."""

from pydantic import SecretStr

from relay.accounts.vault import Vault

KEY = SecretStr("0123456789abcdef0123456789abcdef")


def test_only_the_key_opens() -> None:
    sealed = Vault(KEY).seal(b"hush-hush")
    assert b"hush" not in sealed
    assert Vault(KEY).open(sealed) == b"hush-hush"
    assert Vault(SecretStr("another key, as long as the first")).open(sealed) is None


def test_what_was_changed_does_not_open() -> None:
    sealed = bytearray(Vault(KEY).seal(b"hush-hush"))
    sealed[40] ^= 1
    assert Vault(KEY).open(bytes(sealed)) is None
    assert Vault(KEY).open(b"") is None
