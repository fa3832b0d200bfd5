"""A gateway for text messages: it becomes a sink of the type `textline`, with the hours and limits of all of them."""

from collections.abc import Sequence

from pydantic import SecretStr

from relay.model import Outcome, Result
from relay.sinks.base import ProbeResult
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import Gateway, json_object
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import SinkUrl
from relay.transport import Answer, TransportFailure


class TextlineSettings(SmsSettings):
    """What the YAML says beside the keys of every gateway."""

    url: SinkUrl
    key: SecretStr


class Textline(Gateway):
    """Send by POST /send."""

    type = "textline"
    Settings = TextlineSettings

    def __init__(self, settings: TextlineSettings) -> None:
        super().__init__(settings)
        self._url = settings.url.rstrip("/")
        self._key = settings.key.get_secret_value()

    @property
    def secrets(self) -> Sequence[str]:
        """Return what must never be shown."""
        return [self._key]

    async def send(self, message: Message, tools: Tools) -> Result:
        """Send a text once."""
        form = {"key": self._key, "id": message.id, "to": message.phone, "text": message.text}
        return self.read(await self.post(tools, f"{self._url}/send", form), message, tools.now())

    def read(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what an answer means. Pure."""
        fields = json_object(answer)
        if fields is None or isinstance(answer, TransportFailure):
            return self.unreadable_answer(answer, message, now)
        if fields.get("ok") is True:
            return self.result(Outcome.DELIVERED, "sent", message, answer, provider_id=str(fields.get("id", "")))
        return self.result(Outcome.REJECTED, str(fields.get("error", "no reason")), message, answer)

    async def probe(self, tools: Tools) -> ProbeResult | None:
        """There is no free call."""
        return None
