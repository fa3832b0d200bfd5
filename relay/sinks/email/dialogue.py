"""The dialogue with a mail server, and what of it decides: the step at which it ended, and what was said there.

It is the relay's own because of one question: whether the final dot of the message may have left, after which they may
have it. The client libraries tell only that the connection was lost.
"""

import asyncio
import base64
import re
import ssl
from typing import Final, Literal, TypeAlias

from relay.model import Record
from relay.sinks.email.connection import NotSmtp, SmtpConnection, SmtpReply
from relay.sinks.email.content import Envelope
from relay.sinks.email.settings import EmailSettings
from relay.transport import Session, TransportFailure
from relay.transport.tls import describe, plain_tls

Step: TypeAlias = Literal["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "message"]

PATIENT_ATTEMPTS: Final = 3
"""In how many attempts all wait for an address that is refused for now. Then those others get the message."""

_LINE_START: Final = re.compile(rb"^\.", re.MULTILINE)
_MECHANISMS: Final = ("PLAIN", "LOGIN")
_NUL: Final = "\0"  # between what PLAIN sends (RFC 4616)


class Completed(Record):
    """They took the message, or where there was none the login. `refused`: what they said of an address."""

    reply: SmtpReply
    refused: dict[str, SmtpReply]
    secured: str  # the version of TLS, "" where there was none


class Refused(Record):
    """They said no at a step: to what we are, or to `refused` addresses."""

    step: Step
    reply: SmtpReply
    refused: dict[str, SmtpReply]


class Unfit(Record):
    """They cannot do what the settings ask for."""

    reason: str


class Lost(Record):
    """There was no reply at a step. `sent`: they may have the whole message."""

    step: Step
    reason: str
    sent: bool


Ending: TypeAlias = Completed | Refused | Unfit | Lost | TransportFailure


class _Ended(Exception):
    """The dialogue ends here."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending


async def converse(
    session: Session, settings: EmailSettings, envelope: Envelope | None, *, patient: bool = True
) -> Ending:
    """Log in, and give them a message where there is one. Never raise for what the network or they do.

    `patient`: an address that is refused for now holds up the whole message, so that nobody gets it twice.
    """
    host, port = settings.address
    began = asyncio.get_running_loop().time()
    opened = await session.open(SmtpConnection, host, port, settings.timeout, secure=settings.tls == "tls")
    if isinstance(opened, TransportFailure):
        return opened
    dialogue = _Dialogue(opened, settings, patient=patient)
    try:
        async with asyncio.timeout_at(began + settings.timeout / 1000):
            ending = await dialogue.run(envelope)
    except _Ended as ended:
        ending = ended.ending
    except TimeoutError:
        ending = dialogue.lost("no answer in time")
    except OSError as error:
        ending = dialogue.lost(str(error) or type(error).__name__)
        if isinstance(error, ssl.SSLError) and ending.step == "starttls":
            ending = TransportFailure(kind="tls", reason=f"TLS with {host}: {describe(error)}", sent=False)
    except NotSmtp as error:
        ending = dialogue.lost(str(error)) if dialogue.sent else Unfit(reason=f"{error}: check host, port and tls")
    except BaseException:
        opened.abort()
        raise
    if isinstance(ending, Lost):
        opened.abort()
    else:
        opened.quit()
    return ending


class _Dialogue:
    """One dialogue. `sent`: the final dot may have left."""

    def __init__(self, connection: SmtpConnection, settings: EmailSettings, *, patient: bool) -> None:
        self.sent = False
        self._step: Step = "greeting"
        self._connection = connection
        self._settings = settings
        self._patient = patient
        self._secured = "TLS" if settings.tls == "tls" else ""

    def lost(self, reason: str) -> Lost:
        """Return the ending of a dialogue whose connection was lost, or took too long."""
        return Lost(step=self._step, reason=reason, sent=self.sent)

    async def run(self, envelope: Envelope | None) -> Ending:
        """Go through all steps. Raises _Ended, OSError, NotSmtp."""
        self._check(await self._connection.reply(), "greeting")
        extensions = await self._say_hello()
        if self._settings.tls == "starttls":
            extensions = await self._secure(extensions)
        if self._settings.login:
            await self._log_in(extensions)
        if envelope is None:
            return Completed(reply=await self._connection.command("NOOP"), refused={}, secured=self._secured)
        return await self._send(envelope)

    async def _say_hello(self) -> dict[str, str]:
        """Return the extensions that they offer, each with its parameters."""
        reply = await self._command("ehlo", f"EHLO {self._connection.local_address}")
        offered = (line.upper().partition(" ") for line in reply.lines[1:])
        return {name: parameters for name, _, parameters in offered}

    async def _secure(self, extensions: dict[str, str]) -> dict[str, str]:
        host, port = self._settings.address
        if "STARTTLS" not in extensions:
            reason = (
                f"{host}:{port} offers no STARTTLS: write tls: tls if it speaks TLS from the first byte, as on port 465"
            )
            raise _Ended(Unfit(reason=reason))
        await self._command("starttls", "STARTTLS")
        await self._connection.start_tls(plain_tls(), host)
        self._secured = "TLS"
        return await self._say_hello()  # what they offered in plain text may have been anybody's

    async def _log_in(self, extensions: dict[str, str]) -> None:
        offered = extensions.get("AUTH", "").split()
        mechanism = next((name for name in _MECHANISMS if name in offered), None)
        login, secret = self._settings.login or "", self._settings.password
        password = secret.get_secret_value() if secret else ""
        if mechanism == "PLAIN":
            await self._command("auth", f"AUTH PLAIN {_base64(_NUL.join(('', login, password)))}")
        elif mechanism == "LOGIN":
            await self._command("auth", "AUTH LOGIN")
            await self._command("auth", _base64(login))
            await self._command("auth", _base64(password))
        elif offered:
            raise _Ended(Unfit(reason=f"they take none of our logins (PLAIN, LOGIN), but {', '.join(offered)}"))
        else:
            raise _Ended(Unfit(reason="they ask for no login here: remove login and password, or check port and tls"))

    async def _send(self, envelope: Envelope) -> Ending:
        await self._command("mail", f"MAIL FROM:<{envelope.sender}>")
        refused = {}
        for recipient in envelope.recipients:
            reply = await self._reply("rcpt", f"RCPT TO:<{recipient}>")
            if reply.code >= 400:
                refused[recipient] = reply
            if reply.code == 421:  # they close the connection
                break
        if refused and (len(refused) == len(envelope.recipients) or self._holds_up(refused)):
            return Refused(step="rcpt", reply=next(iter(refused.values())), refused=refused)
        await self._command("data", "DATA")
        reply = await self._send_message(envelope.message)
        if reply.code >= 400:
            return Refused(step="message", reply=reply, refused=refused)
        return Completed(reply=reply, refused=refused, secured=self._secured)

    def _holds_up(self, refused: dict[str, SmtpReply]) -> bool:
        """Return whether an address that is refused for now holds up the others."""
        codes = [reply.code for reply in refused.values()]
        return 421 in codes or (self._patient and any(code < 500 for code in codes))

    async def _send_message(self, message: bytes) -> SmtpReply:
        self._step = "data"
        self._connection.expect_reply()
        if await self._connection.send(_LINE_START.sub(b"..", message)):
            self._step, self.sent = "message", True
            await self._connection.send(b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
        return await self._connection.reply()

    async def _command(self, step: Step, line: str) -> SmtpReply:
        return self._check(await self._reply(step, line), step)

    async def _reply(self, step: Step, line: str) -> SmtpReply:
        self._step = step
        return await self._connection.command(line)

    def _check(self, reply: SmtpReply, step: Step) -> SmtpReply:
        if reply.code >= 400:
            raise _Ended(Refused(step=step, reply=reply, refused={}))
        return reply


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
