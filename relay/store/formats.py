"""The version of what is stored."""

from typing import Final

from relay.errors import ConfigError

FORMAT: Final = 1
"""Stands in the store (`LifeField.FORMAT`): a process that meets a higher one refuses the store.

Raise it where the release before could not read what this one writes, or would damage it; never for a field or a key
that it does not look at. Two releases of one format run beside each other, and the older one again after the newer. A
store without a number is in the format of commit b42e45f, which may run beside this release and after it.
"""


def check_format(stored: int) -> None:
    """Refuse records in a format that this release does not know. Raises ConfigError."""
    if stored > FORMAT:
        raise ConfigError(
            f"a newer release has written to the store, in format {stored}; this one knows format {FORMAT} and would "
            "damage it: run that release, or give this one a store or RELAY_NAMESPACE of its own"
        )
