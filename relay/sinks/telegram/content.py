"""A message for Telegram: what is stored of it, and how one that is too long is cut. Pure."""

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Final, TypeVar

import msgspec

from relay.errors import RejectDelivery
from relay.model import Record
from relay.sinks.telegram.settings import ParseMode, check_chat, check_thread

MAX_LENGTH: Final = 4096  # UTF-16 code units that are shown: what is markup does not count
_ELLIPSIS: Final = "…"
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_BACKSLASH: Final = re.compile(r"\\([\x01-\x7e])")

_Checked = TypeVar("_Checked")


class TelegramContent(Record, omit_defaults=True):
    """The stored content. Where chat or topic is empty, the sink's applies; a topic of the sink's is its own chat's."""

    text: str
    chat_id: str = ""
    message_thread_id: int = 0
    parse_mode: ParseMode | None = None  # what the text was written in when it was made
    cut: bool = False  # it was longer than they take


def make_content(params: Mapping[str, object], parse_mode: ParseMode | None) -> TelegramContent:
    """Make the content of a route's rendered keys. Raise RejectDelivery."""
    text, chat, thread = params.get("text"), params.get("chat_id"), params.get("message_thread_id")
    if not isinstance(text, str | int | float) or isinstance(text, bool) or not str(text).strip():
        raise RejectDelivery("text: there is none")
    return _fitted(
        TelegramContent(
            text=str(text).strip(),
            chat_id="" if chat is None else _checked("chat_id", chat, check_chat),
            message_thread_id=0 if thread is None else _checked("message_thread_id", thread, check_thread),
            parse_mode=parse_mode,
        )
    )


def _checked(key: str, value: object, check: Callable[[object], _Checked]) -> _Checked:
    try:
        return check(value)
    except ValueError as error:
        raise RejectDelivery(f"{key}: {error}") from None


def _fitted(content: TelegramContent) -> TelegramContent:
    """Return a content that is short enough: one that is cut is plain text, as no half of its markup may remain."""
    shown = shown_text(content.text, content.parse_mode)
    if utf16_length(shown) <= MAX_LENGTH:
        return content
    return msgspec.structs.replace(content, text=cut_text(shown), parse_mode=None, cut=True)


def shown_text(text: str, parse_mode: ParseMode | None) -> str:
    """Return a text as it is shown. Of MarkdownV2 the signs of its markup stay: only its escapes are undone."""
    match parse_mode:
        case "HTML":
            return unescape(_TAG.sub("", text))
        case "MarkdownV2":
            return _BACKSLASH.sub(r"\1", text)
    return text


def utf16_length(text: str) -> int:
    """Return the length of a text as Telegram counts it."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut_text(text: str, length: int = MAX_LENGTH) -> str:
    """Return the beginning of a text that is too long, up to a word, with an ellipsis."""
    room = length - utf16_length(_ELLIPSIS)
    beginning = text.encode("utf-16-le")[: 2 * room].decode("utf-16-le", errors="ignore")
    whole_words = beginning.rsplit(maxsplit=1)[0] if not text[len(beginning) :][:1].isspace() else beginning
    enough = whole_words if 2 * len(whole_words) >= len(beginning) else beginning  # one word without an end
    return f"{enough.rstrip()}{_ELLIPSIS}"


read_content = msgspec.json.Decoder(TelegramContent).decode
