"""Messages to a chat of Telegram, by a bot (Bot API, sendMessage)."""

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from relay.errors import RejectDelivery
from relay.masking import MASK
from relay.model import Delivery, Json, Outcome, Result
from relay.rendering.template import is_template
from relay.sinks.base import ProbeResult, SettingsType, Sink
from relay.sinks.telegram.answers import interpret
from relay.sinks.telegram.content import MAX_LENGTH, TelegramContent, make_content, read_content, utf16_length
from relay.sinks.telegram.settings import TelegramSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import join_url
from relay.transport import Answer, Request, TransportFailure, body_json, call

_HEADERS: Final = {"Content-Type": "application/json"}


class TelegramSink(Sink):
    """Send a message."""

    type = "telegram"
    Settings: ClassVar[SettingsType] = TelegramSettings
    content_keys: ClassVar[Mapping[str, bool]] = {"text": True, "chat_id": False, "message_thread_id": False}
    skip_if_missing = frozenset({"chat_id"})

    def __init__(self, name: str, settings: TelegramSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings

    @classmethod
    def check_constant(cls, key: str, value: object) -> str | None:
        """Return why a text that is always the same cannot be sent as it is: it would be cut."""
        if key == "text" and isinstance(value, str) and not is_template(value) and utf16_length(value) > MAX_LENGTH:
            return f"has {utf16_length(value)} characters, and what is over {MAX_LENGTH} would be cut"
        return None

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store text, chat and topic. Raise RejectDelivery."""
        content = make_content(params, self._settings.parse_mode)
        if not content.chat_id and self._settings.chat_id is None:
            raise RejectDelivery("chat_id: neither the route nor the sink has one")
        return msgspec.json.encode(content)

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Send the message once."""
        return self.read(await call(tools.session, self.request(delivery.content)), delivery.content)

    def request(self, content: bytes) -> Request:
        """Build the request of a stored content. Pure."""
        return self._request("POST", "sendMessage", msgspec.json.encode(self._message(read_content(content))))

    def read(self, answer: Answer, content: bytes) -> Result:
        """Return what an answer means for a content. Pure."""
        stored = read_content(content)
        result = interpret(answer, own_chat=bool(stored.chat_id), repeatable=self.policy.on_unknown == "retry")
        if result.outcome is Outcome.DELIVERED and stored.cut:
            return msgspec.structs.replace(result, reason=f"sent, cut to {MAX_LENGTH} characters")
        return result

    async def probe(self, tools: Tools) -> ProbeResult:
        """Ask who the bot is (getMe)."""
        return self.read_probe(await call(tools.session, self._request("GET", "getMe", b"")))

    def read_probe(self, answer: Answer) -> ProbeResult:
        """Return what the answer to getMe says. Pure."""
        match None if isinstance(answer, TransportFailure) else body_json(answer):
            case {"ok": True, "result": {"username": str(name)}}:
                return ProbeResult(ok=True, message=f"the token is of the bot @{name}; {self._where}")
        return ProbeResult(ok=False, message=interpret(answer, own_chat=False, repeatable=True).reason)

    @property
    def _where(self) -> str:
        chat = self._settings.chat_id
        return f"messages go to the chat {chat}" if chat else "each route says to which chat"

    @property
    def remark(self) -> str:
        """Return what a repetition does, or that nobody said it."""
        return self._settings.remark

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the request as it would be sent today, the token masked."""
        stored = read_content(content)
        described: dict[str, Json] = {
            "method": "POST",
            "url": str(join_url(self._settings.url, f"/bot{MASK}/sendMessage")),
            "headers": _HEADERS,
            "body": self._message(stored),
        }
        return {**described, "cut": f"it was longer than {MAX_LENGTH} characters"} if stored.cut else described

    def _message(self, content: TelegramContent) -> dict[str, Json]:
        settings = self._settings
        # A topic of the sink's is one of its own chat.
        thread = content.message_thread_id or (0 if content.chat_id else settings.message_thread_id or 0)
        return {
            "chat_id": content.chat_id or settings.chat_id or "",
            "text": content.text,
            **({"message_thread_id": thread} if thread else {}),
            **({"parse_mode": content.parse_mode} if content.parse_mode else {}),
            **({"disable_notification": True} if settings.disable_notification else {}),
        }

    def _request(self, method: str, name: str, body: bytes) -> Request:
        url = join_url(self._settings.url, f"/bot{self._settings.token.get_secret_value()}/{name}")
        return Request(
            method=method, url=url, headers=_HEADERS if body else {}, body=body, timeout_ms=self._settings.timeout
        )
