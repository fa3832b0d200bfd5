"""A sink for Mattermost: every delivery is a message, posted by an incoming webhook."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from pydantic import SecretStr
from yarl import URL

from relay.config.sink import SinkSettings
from relay.errors import SkipDelivery
from relay.model import Delivery, Json, Outcome, Result
from relay.sinks.base import MAX_RESPONSE, SettingsType, Sink
from relay.sinks.failures import failure_outcome
from relay.sinks.tools import Tools
from relay.sinks.urls import SinkUrl
from relay.transport import Answer, Request, TransportFailure, call


class MattermostSettings(SinkSettings):
    """What the YAML says: the server, the webhook's key, and optionally the channel."""

    url: SinkUrl
    key: SecretStr
    channel: str = ""


class MattermostSink(Sink):
    """Post a message."""

    type = "mattermost"
    Settings: ClassVar[SettingsType] = MattermostSettings
    content_keys: ClassVar[Mapping[str, bool]] = {"text": True}

    def __init__(self, name: str, settings: MattermostSettings) -> None:
        super().__init__(name, settings)
        self._url = URL(f"{settings.url.rstrip('/')}/hooks/{settings.key.get_secret_value()}")
        self._channel = settings.channel

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store the text. Raise SkipDelivery where it is empty."""
        text = str(params.get("text") or "").strip()
        if not text:
            raise SkipDelivery("text: it is empty")
        return text.encode()

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Post the message once."""
        return self.read(await call(tools.session, self.request(delivery.content)))

    def request(self, content: bytes) -> Request:
        """Build the request. Pure."""
        headers = {"Content-Type": "application/json"}
        body = msgspec.json.encode(self._message(content))
        return Request(method="POST", url=self._url, headers=headers, body=body, timeout_ms=self.timeout_ms)

    def read(self, answer: Answer) -> Result:
        """Return what an answer means. Pure."""
        if isinstance(answer, TransportFailure):
            return Result(outcome=failure_outcome(answer), reason=answer.reason)
        if answer.status == 200:
            outcome = Outcome.DELIVERED
        elif answer.status in (401, 403, 404):
            outcome = Outcome.BLOCKED  # the key is wrong: the whole sink waits
        else:
            outcome = Outcome.REJECTED if answer.status < 500 else Outcome.UNKNOWN
        response = answer.body[:MAX_RESPONSE].decode(errors="replace")
        return Result(outcome=outcome, reason=str(answer.status), status=answer.status, response=response)

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the message, without the key."""
        return {"url": str(self._url.origin()), **self._message(content)}

    def _message(self, content: bytes) -> dict[str, Json]:
        channel: dict[str, Json] = {"channel": self._channel} if self._channel else {}
        return {"text": content.decode(), **channel}
