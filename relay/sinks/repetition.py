"""The settings of sinks whose receivers are people: nobody tells a repetition, and it may do no harm."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec
from pydantic import ValidationInfo, field_validator

from relay.config.sink import SinkSettings
from relay.retrying import OnUnknown, Policy
from relay.sinks.http.idempotency import ACTIONS, contradiction

_NOT_SAID: Final = (
    "idempotency is missing, so a message that may have arrived is held for a person: write honoured if one that comes"
    " twice does no harm, none if it does"
)


class MessageSettings(SinkSettings):
    """`idempotency: honoured`: a message that comes twice does no harm. `none`, also where it is not said: it may."""

    idempotency: Literal["honoured", "none"] | None = None

    @field_validator("idempotency")
    @classmethod
    def _check_contradictions(
        cls, said: Literal["honoured", "none"] | None, info: ValidationInfo
    ) -> Literal["honoured", "none"] | None:
        if said and (wrong := contradiction(said, info.data.get("on_unknown"), sends_key=True, looks_up=False)):
            raise ValueError(wrong)
        return said

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Return what follows from the word, unless the file says otherwise."""
        return self.on_unknown or ACTIONS[self.idempotency or "none"]

    @property
    def policy(self) -> Policy:
        """The retry policy; what is held says because of which word."""
        promise = f"idempotency: {self.idempotency or 'none'}"
        return msgspec.structs.replace(super().policy, promise="" if self.idempotency == "honoured" else promise)

    def warnings(self, _contents: Iterable[Mapping[str, object]]) -> Iterator[str]:
        """Warn where nobody said whether a repetition does harm."""
        if self.idempotency is None:
            yield _NOT_SAID

    @property
    def remark(self) -> str:
        """Return the word, or that nobody said it: for whoever probes the sink."""
        return f"idempotency: {self.idempotency}" if self.idempotency else _NOT_SAID
