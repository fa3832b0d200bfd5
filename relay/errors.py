"""The relay's own errors. The class tells the recovery, the message tells a person what to do."""

from collections.abc import Iterable
from typing import TypeAlias

YamlPath: TypeAlias = tuple[str | int, ...]
"""Where a value is in the YAML: keys and list indexes from the top of the file, a condition or a content."""

LocatedMessage: TypeAlias = tuple[YamlPath, str]
"""What is wrong with a value, and where the value is."""


class RelayError(Exception):
    """An error that the relay can explain to a person."""


class Malformed(RelayError):
    """The body is not what amoCRM sends. Kept with its reason, never retried."""


class ConfigError(RelayError):
    """The configuration is wrong. Its text is one line per finding: file:line:column: what."""


class CompileErrors(RelayError):
    """A condition or content cannot be compiled. `errors` has each message with the path of what it is about."""

    def __init__(self, errors: Iterable[LocatedMessage]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{'.'.join(map(str, path))}: {message}" for path, message in self.errors))


class MissingValue(RelayError):
    """A template needs a value that this event does not carry. The delivery cannot be made from it.

    `place` is where in the content it was needed ("body.amount", "phone"), `what` the value that is missing.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what


class SkipDelivery(RelayError):
    """There is nobody to deliver to, and nothing is wrong. Settled as skipped, with the reason."""


class RejectDelivery(RelayError):
    """This event can never be delivered as it is. Becomes a dead letter, with the reason."""


class StoreUnavailable(RelayError):
    """The store cannot be read or written now. Try again later."""


class NotOwned(StoreUnavailable):
    """The source belongs to another shard, or is on its way to one. Read the list of shards anew."""


class StoreRefused(StoreUnavailable):
    """The store answers with an error that says nothing of its own state: no permission, a script that was killed."""


class AccountRefused(RelayError):
    """amoCRM refuses, however often it is asked: credentials, rights or the request are wrong."""


class AccountUnavailable(RelayError):
    """amoCRM cannot be asked now. Try again later: `after_ms` says when at the earliest, where that is known."""

    def __init__(self, text: str, after_ms: int | None = None) -> None:
        super().__init__(text)
        self.after_ms = after_ms


class LimitReached(RelayError):
    """As many exist as may exist. Something must be removed first."""
