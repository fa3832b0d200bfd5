"""The relay's own errors. The class tells the recovery, the message tells a person what to do."""


class RelayError(Exception):
    """Something the relay can explain."""


class Malformed(RelayError):
    """The body is not what amoCRM sends. Kept with its reason, never retried."""


class ConfigError(RelayError):
    """The configuration is wrong. Its text is one line per finding: file:line:column: what."""


class TemplateError(RelayError):
    """A template cannot be compiled. The text names the place within it and what would be right."""


class MissingValue(RelayError):
    """A template needs a value that this event does not carry. The delivery cannot be made from it.

    `place` is where in the content it was needed ("body.amount", "phone"), `what` the value that is missing.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what


class SkipDelivery(RelayError):
    """Nothing is wrong, but there is nobody to deliver to. Settled as skipped, with the reason."""


class RejectDelivery(RelayError):
    """This event can never be delivered as it is. Becomes a dead letter, with the reason."""


class StoreUnavailable(RelayError):
    """The store cannot take or give anything now. Try again later."""


class AccountRefused(RelayError):
    """amoCRM will not do this for us, however often it is asked: credentials, rights or the request are wrong."""


class AccountUnavailable(RelayError):
    """amoCRM cannot be asked now. Try again later: `after_ms` says when at the earliest, where that is known."""

    def __init__(self, text: str, after_ms: int | None = None) -> None:
        super().__init__(text)
        self.after_ms = after_ms


class LimitReached(RelayError):
    """There is as much of it as there may be. Something must be removed first."""
