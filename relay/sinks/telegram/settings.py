"""What the YAML of a `telegram` sink may say."""

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from relay.model import Limit
from relay.secret import SecretStr
from relay.sinks.repetition import MessageSettings
from relay.sinks.urls import SinkUrl

if TYPE_CHECKING:  # with it Jinja is imported
    from relay.rendering import Markup

URL: Final = "https://api.telegram.org"
PER_CHAT: Final = (1, 1000)  # messages in milliseconds, as Telegram's FAQ asks for
PER_BOT: Final = (30, 1000)

ParseMode: TypeAlias = Literal["HTML", "MarkdownV2"]
_MARKUP: Final["dict[ParseMode, Markup]"] = {"HTML": "html", "MarkdownV2": "markdown"}

_TOKEN: Final = re.compile(r"\d+:[\w-]+", re.ASCII)
_CHAT: Final = re.compile(r"-?[1-9]\d{0,18}|@[A-Za-z]\w{3,31}", re.ASCII)


def check_chat(value: object) -> str:
    """Return the id of a chat as text. Raise ValueError that says what would be right."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _CHAT.fullmatch(text):
        raise ValueError(
            f'{value!r:.40} is no chat: write its id in quotes, "-1001234567890", or "@channel"; no person\'s @name'
        )
    return text


def check_thread(value: object) -> int:
    """Return the id of a topic of a group. Raise ValueError."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise ValueError(f"{value!r:.40} is no topic of a group: write its number, which its link ends with")
    return int(text)


def _check_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("it is no bot's token: @BotFather gives it, a number, a colon and a key: 123456:AAE…")
    return token


ChatId: TypeAlias = Annotated[
    str, BeforeValidator(check_chat), WithJsonSchema({"type": ["integer", "string"], "examples": ["-1001234567890"]})
]
ThreadId: TypeAlias = Annotated[int, BeforeValidator(check_thread), WithJsonSchema({"type": "integer", "minimum": 1})]


class TelegramSettings(MessageSettings):
    """The bot's `token`, and the chat that its messages go to unless a route gives another one.

    `parse_mode`: what texts are written in; the values within them are escaped. Default: plain text.
    """

    url: SinkUrl = URL
    token: Annotated[SecretStr, AfterValidator(_check_token)]
    chat_id: ChatId | None = None
    message_thread_id: ThreadId | None = None
    parse_mode: ParseMode | None = None
    disable_notification: bool = Field(False, description="true: it arrives without a sound")

    def markup(self, key: str) -> "Markup | None":
        """Return what its texts are written in."""
        return _MARKUP[self.parse_mode] if self.parse_mode and key == "text" else None

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown: the token, and the part of it that is a secret by itself."""
        yield from super().hidden_values()
        yield self.token.get_secret_value().partition(":")[2]

    def limits(self, name: str) -> tuple[Limit, ...]:
        """Build the limits of the chat and of the bot, counted over all sinks with its token.

        `rate` is the chat's. Without a chat of the sink's own each delivery has another one, and only the bot's limit
        can be kept before Telegram says no.
        """
        digest = hashlib.sha256(self.token.get_secret_value().encode()).hexdigest()[:16]
        bot = Limit(key=f"telegram:{digest}", count=PER_BOT[0], per_ms=PER_BOT[1])
        if self.chat_id is None:
            return (*super().limits(name), bot)
        count, per_ms = self.rate or PER_CHAT
        return Limit(key=f"telegram:{digest}:{self.chat_id}", count=count, per_ms=per_ms), bot
