"""Telegram's Bot API: getMe and sendMessage, with its limits and its ways of saying no.

A token whose key is `wrong` is refused. The chats of `CHATS` are closed to the bot, each in a way of its own; any other
takes messages. A text is refused where its markup cannot be parsed, or more than 4096 characters of it are shown.
"""

import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Final

import msgspec

from relay.model import AnyJson, Json, Record
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

MAX_LENGTH: Final = 4096
PER_CHAT, PER_SECONDS = 20, 1.0  # a burst is let through, as there: one a second is what they ask for
CHATS: Final[Mapping[str, tuple[int, str, Mapping[str, Json]]]] = {
    "-404": (400, "Bad Request: chat not found", {}),
    "-403": (403, "Forbidden: bot was kicked from the supergroup chat", {}),
    "403": (403, "Forbidden: bot was blocked by the user", {}),
    "-301": (
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        {"migrate_to_chat_id": -1001234567890},
    ),
}
_PATH: Final = re.compile(r"/bot(\d+):([\w-]+)/(\w+)", re.ASCII)
_TAGS: Final = frozenset(
    {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "blockquote", "tg-spoiler"}
)
_RESERVED: Final = re.compile(r"(?<!\\)(?:\\\\)*[#+\-=|{}.!]")
_ENTITY: Final = re.compile(r"(?<!\\)(?:\\\\)*([_*~`])")


class ChatMessage(Record):
    """A message as a chat shows it."""

    chat_id: str
    text: str
    parse_mode: str
    message_thread_id: int | None


class FakeTelegram(Vendor):
    """Keeps the messages of all chats. `clock` is for the limit of a chat."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self.messages: list[ChatMessage] = []
        self._clock = clock
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def answer(self, request: VendorRequest) -> Answer:
        """Answer a method."""
        found = _PATH.fullmatch(request.path)
        if found is None:
            return _refusal(404, "Not Found")
        bot, key, method = found.groups()
        if key == "wrong":
            return _refusal(401, "Unauthorized")
        match method:
            case "getMe":
                me: Json = {"id": int(bot), "is_bot": True, "first_name": "Relay", "username": f"relay{bot}_bot"}
                return Answer(content={"ok": True, "result": me}, stored=False)
            case "sendMessage":
                return self._send(request.body)
        return _refusal(404, "Not Found: method not found")

    def _send(self, body: bytes) -> Answer:
        try:
            asked = msgspec.json.decode(body, type=dict[str, AnyJson])
        except msgspec.DecodeError:
            return _refusal(400, "Bad Request: can't parse the request body")
        chat, text, mode = str(asked.get("chat_id") or ""), str(asked.get("text") or ""), asked.get("parse_mode")
        if not chat:
            return _refusal(400, "Bad Request: chat_id is empty")
        if chat in CHATS:
            status, description, parameters = CHATS[chat]
            return _refusal(status, description, parameters)
        if problem := _text_problem(text, str(mode or "")):
            return _refusal(400, f"Bad Request: {problem}")
        if wait := self._wait_seconds(chat):
            return _refusal(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
        thread = asked.get("message_thread_id")
        message = ChatMessage(
            chat_id=chat,
            text=text,
            parse_mode=str(mode or ""),
            message_thread_id=thread if isinstance(thread, int) else None,
        )
        self.messages.append(message)
        result: Json = {"message_id": len(self.messages), "chat": {"id": chat}, "text": text}
        return Answer(content={"ok": True, "result": result})

    def _wait_seconds(self, chat: str) -> int:
        times, now = self._times[chat], self._clock()
        while times and times[0] <= now - PER_SECONDS:
            times.popleft()
        if len(times) >= PER_CHAT:
            return 1
        times.append(now)
        return 0


def _text_problem(text: str, mode: str) -> str:
    """Return why they would not take a text; "" where they do."""
    if mode == "HTML":
        parser = _Parser()
        parser.feed(text)
        parser.close()
        if parser.problem or parser.open:
            return f"can't parse entities: {parser.problem or f'can not find end tag of {parser.open[-1]}'}"
        text = "".join(parser.texts)
    elif mode == "MarkdownV2":
        if found := _RESERVED.search(text):
            sign = found[0][-1]
            return f"can't parse entities: Character '{sign}' is reserved and must be escaped with the preceding '\\'"
        signs = _ENTITY.findall(text)
        if odd := next((sign for sign in signs if signs.count(sign) % 2), ""):
            return f"can't parse entities: Can't find end of the entity that begins with {odd}"
    elif mode:
        return "unsupported parse_mode"
    if not text.strip():
        return "message text is empty"
    return "message is too long" if len(text.encode("utf-16-le")) // 2 > MAX_LENGTH else ""


class _Parser(HTMLParser):
    """Reads a text as Telegram does: of the tags that it knows, each must be closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[str] = []
        self.problem = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Open a tag."""
        if tag not in _TAGS:
            self.problem = self.problem or f'Unsupported start tag "{tag}"'
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        if not self.open or self.open.pop() != tag:
            self.problem = self.problem or f"Unmatched end tag, found {tag}"

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        self.texts.append(data)


def _refusal(status: int, description: str, parameters: Mapping[str, Json] | None = None) -> Answer:
    content: dict[str, Json] = {"ok": False, "error_code": status, "description": description}
    return Answer(content={**content, "parameters": parameters} if parameters else content, status=status, stored=False)
