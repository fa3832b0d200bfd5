"""Messages by mail: to a mail server over SMTP, with TLS."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from relay.errors import RejectDelivery
from relay.model import Delivery, Json, Result
from relay.sinks.base import ProbeResult, SettingsType, Sink
from relay.sinks.email.addresses import write_address
from relay.sinks.email.answers import interpret, probe_result
from relay.sinks.email.content import Envelope, addressees, make_content, make_envelope, read_content
from relay.sinks.email.dialogue import PATIENT_ATTEMPTS, Dialogue, Ending, goes_on, open_dialogue
from relay.sinks.email.reuse import ReusableDialogues
from relay.sinks.email.settings import EmailSettings
from relay.sinks.tools import Tools


class EmailSink(Sink):
    """Send a message."""

    type = "email"
    Settings: ClassVar[SettingsType] = EmailSettings
    content_keys: ClassVar[Mapping[str, bool]] = {"subject": True} | dict.fromkeys(
        ("text", "html", "recipients", "cc", "reply_to"), False
    )
    skip_if_missing = frozenset({"recipients"})

    def __init__(self, name: str, settings: EmailSettings) -> None:
        super().__init__(name, settings)
        self._settings = settings
        self._reusable = ReusableDialogues()

    def content(self, params: Mapping[str, object]) -> bytes:
        """Store subject, text and addresses. Raise RejectDelivery, SkipDelivery where there is no address."""
        content = make_content(params)
        if not content.recipients and not self._settings.recipients:
            raise RejectDelivery("recipients: neither the route nor the sink has any")
        return msgspec.json.encode(content)

    async def send(self, delivery: Delivery, tools: Tools) -> Result:
        """Give the message to the mail server."""
        envelope = make_envelope(read_content(delivery.content), self._settings, delivery)
        patient = delivery.attempts < PATIENT_ATTEMPTS
        ending = await self._send(tools, envelope, patient=patient)
        return interpret(ending, len(envelope.recipients), repeatable=self.policy.on_unknown == "retry")

    async def probe(self, tools: Tools) -> ProbeResult:
        """Log in, and send nothing."""
        deadline = self._deadline()
        opened = await open_dialogue(tools.session, self._settings, deadline)
        if not isinstance(opened, Dialogue):
            return probe_result(opened, self._settings.login)
        ending = await opened.end_with(opened.ask(), deadline)
        opened.quit()
        return probe_result(ending, self._settings.login)

    async def _send(self, tools: Tools, envelope: Envelope, *, patient: bool) -> Ending:
        """Give a message to the mail server, over one that waits for it where there is any."""
        deadline = self._deadline()
        opened = await self._reusable.take(deadline) or await open_dialogue(tools.session, self._settings, deadline)
        if not isinstance(opened, Dialogue):
            return opened
        ending = await opened.end_with(opened.send(envelope, patient=patient), deadline)
        if opened.is_open and goes_on(ending):
            self._reusable.add(opened)
        else:
            opened.quit()
        return ending

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.timeout_ms / 1000

    @property
    def remark(self) -> str:
        """Return what a repetition does, or that nobody said it."""
        return self._settings.remark

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return the message as it would be sent today."""
        stored = read_content(content)
        to, cc = addressees(stored, self._settings)
        host, port = self._settings.address
        return {
            "server": f"{host}:{port}",
            "tls": self._settings.tls,
            "from": self._settings.sender,
            "to": [write_address(address) for address in to],
            **({"cc": [write_address(address) for address in cc]} if cc else {}),
            **({"reply_to": list(found)} if (found := stored.reply_to or self._settings.reply_to) else {}),
            "subject": stored.subject,
            **({"text": stored.text} if stored.text else {}),
            **({"html": stored.html} if stored.html else {}),
        }
