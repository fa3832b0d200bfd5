"""Which notes of the store are about one account: what is moved with it to another shard."""

from relay.accounts.caught_up import progress_key

_OF_AN_ACCOUNT = ("tokens", "heard", "drift", "setup")


def note_keys(source: str) -> list[str]:
    """Return the keys of the notes about a source and its account, but for what lasts for seconds."""
    return [*(f"account:{source}:{note}" for note in _OF_AN_ACCOUNT), progress_key(source)]
