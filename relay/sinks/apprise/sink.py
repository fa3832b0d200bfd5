"""Messages to whatever Apprise knows: Slack, Discord, Matrix, Teams, ntfy, Pushover and a hundred others.

Apprise is an extra: it takes half a second of CPU and 40 MB of memory. It is imported with the first message, in a
thread, and its calls block, so each is made in a thread of its own.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, ClassVar, Final, Literal, TypeVar, get_args

import msgspec

from relay.errors import RejectDelivery
from relay.masking import MASK, mask_people
from relay.model import Delivery, Json, Outcome, Record, Result
from relay.sinks.apprise.settings import INSTALL, AppriseSettings
from relay.sinks.base import ProbeResult, SettingsType, Sink
from relay.sinks.tools import Tools

Level = Literal["info", "success", "warning", "failure"]

_MARGIN_S: Final = 0.5  # by which Apprise gives up before we do
_MAX_LOG: Final = 300
_Found = TypeVar("_Found")


class AppriseContent(Record, omit_defaults=True):
    """The stored content."""

    text: str
    title: str = ""
    level: Level = "info"


class Notified(Record):
    """What Apprise did: None where it knows no such service, else whether the message arrived, and its log."""

    delivered: bool | None
    log: str


class AppriseSink(Sink):
    """Send a message."""

    type = "apprise"
    Settings: ClassVar[SettingsType] = AppriseSettings
    content_keys: ClassVar[Mapping[str, bool]] = {"text": True, "title": False, "level": False}

    def __init__(self, name: str, settings: AppriseSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store text, title and level. Raise RejectDelivery."""
        text, title, level = (_text(params, key) for key in ("text", "title", "level"))
        if not text:
            raise RejectDelivery("text: there is none")
        if level and level not in get_args(Level):
            raise RejectDelivery(f"level: {level!r:.40} is not one of {', '.join(get_args(Level))}")
        fields = {"text": text, "title": " ".join(title.split()), "level": level or "info"}
        return msgspec.json.encode(msgspec.convert(fields, AppriseContent))

    async def send(self, delivery: Delivery, _: Tools) -> Result:
        """Let Apprise send it."""
        content, seconds = _read(delivery.content), self.timeout_ms / 1000
        url = self._settings.url.get_secret_value()
        try:
            async with asyncio.timeout(seconds):
                notified = await in_thread(lambda: notify(url, content, max(seconds - _MARGIN_S, seconds / 2)))
        except TimeoutError:
            return self._unclear("Apprise gave no answer in time")
        except ImportError as error:
            return Result(outcome=Outcome.BLOCKED, reason=f"{error}: {INSTALL}")
        except Exception as error:  # noqa: BLE001  whatever a service's code stumbles over
            return self._unclear(f"Apprise failed: {type(error).__name__}: {error}")
        return self.read(notified)

    def _unclear(self, reason: str) -> Result:
        outcome = Outcome.RETRY if self.policy.on_unknown == "retry" else Outcome.UNKNOWN
        return Result(outcome=outcome, reason=mask_people(reason[: 4 * _MAX_LOG])[:_MAX_LOG])

    def read(self, notified: Notified) -> Result:
        """Return what Apprise's answer means. Pure."""
        if notified.delivered:
            return Result(outcome=Outcome.DELIVERED, reason=f"sent by {self._settings.service}")
        log = mask_people(notified.log[: 4 * _MAX_LOG])[:_MAX_LOG]
        if notified.delivered is None:
            reason = f"Apprise does not take this address of {self._settings.service}: {log or 'check url'}"
            return Result(outcome=Outcome.BLOCKED, reason=reason)
        return Result(outcome=Outcome.RETRY, reason=log or "Apprise says that it did not arrive, and not why")

    async def probe(self, _: Tools) -> ProbeResult | None:
        """Ask Apprise whether it takes the address; the service itself has no free call."""
        url = self._settings.url.get_secret_value()
        problem = await in_thread(lambda: address_problem(url))
        if problem:
            return ProbeResult(ok=False, message=f"Apprise does not take this address: {problem}")
        return ProbeResult(ok=True, message=f"Apprise takes the address of {self._settings.service}; nobody was called")

    @property
    def remark(self) -> str:
        """Return what a repetition does, or that nobody said it."""
        return self._settings.remark

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the message, the address masked but for its service."""
        stored = _read(content)
        title: dict[str, Json] = {"title": stored.title} if stored.title else {}
        return {"service": f"{self._settings.service}://{MASK}", **title, "text": stored.text, "level": stored.level}


def notify(url: str, content: AppriseContent, seconds: float) -> Notified:
    """Send a message by Apprise. It blocks."""
    apprise, lines = _apprise(), list[str]()
    asset = apprise.AppriseAsset(app_id="amo-relay", async_mode=False, secure_logging=True)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(url):
        return Notified(delivered=None, log="")
    delivered = sender.notify(
        body=content.text,
        title=content.title,
        notify_type=apprise.NotifyType(content.level),
        body_format=apprise.NotifyFormat.TEXT,
        timeout=seconds,
        log_callback=lambda entry, _: lines.append(entry.message),
        log_level=30,  # warnings: why it did not arrive
    )
    return Notified(delivered=bool(delivered), log="; ".join(lines))


def address_problem(url: str) -> str:
    """Return why Apprise does not take an address; "" where it does. It blocks, and calls nobody."""
    apprise = _apprise()
    service = url.partition("://")[0].lower()
    if apprise.Apprise.instantiate(url) is not None:
        return ""
    known = any(
        service in (found.get(key) or ()) for found in apprise.Apprise().details()["schemas"] for key in _SCHEMAS
    )
    return f"parts of what {service}:// needs are missing" if known else f"it knows no {service}://"


_SCHEMAS: Final = ("protocols", "secure_protocols")


def _apprise() -> Any:
    import apprise

    logging.getLogger("apprise").propagate = False  # what it logs of a message is in the message's own result
    return apprise


async def in_thread(work: Callable[[], _Found]) -> _Found:
    """Do what blocks in a thread of its own, which nothing waits for at the end: it may hang."""
    future: Future[_Found] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001  it belongs to whoever awaits it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="apprise").start()
    return await asyncio.wrap_future(future)


def _text(params: Mapping[str, object], key: str) -> str:
    value = params.get(key)
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise RejectDelivery(f"{key}: it takes a text")
    return str(value).strip()


_read = msgspec.json.Decoder(AppriseContent).decode
