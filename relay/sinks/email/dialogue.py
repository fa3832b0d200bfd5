"""The dialogue with a mail server, and what of it decides: the step at which it ended, and what was said there.

It is the relay's own because of one question: whether the final dot of the message may have left, after which they may
have it. The client libraries tell only that the connection was lost.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Coroutine
from typing import Any, Final, Literal, TypeAlias, TypeVar

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
_CLOSING: Final = 421  # they close the connection
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


def goes_on(ending: Ending) -> bool:
    """Return whether another message may follow over the connection."""
    if not isinstance(ending, Completed | Refused):
        return False
    return all(reply.code != _CLOSING for reply in (ending.reply, *ending.refused.values()))


T = TypeVar("T")


class _Ended(Exception):
    """The dialogue ends here."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending


async def open_dialogue(session: Session, settings: EmailSettings, deadline: float) -> "Dialogue | Ending":
    """Open a connection and log in; return why that is not possible. Never raise for what the network or they do.

    `deadline`: by the loop's clock, in seconds.
    """
    host, port = settings.address
    left_ms = max(round(1000 * (deadline - asyncio.get_running_loop().time())), 1)
    opened = await session.open(SmtpConnection, host, port, left_ms, secure=settings.tls == "tls")
    if isinstance(opened, TransportFailure):
        return opened
    dialogue = Dialogue(opened, settings)
    ending = await dialogue.end_with(dialogue.begin(), deadline)
    return dialogue if ending is None else ending


class Dialogue:
    """One dialogue. `messages`: so many were given to them over it; `sent`: the final dot of the last may have left."""

    def __init__(self, connection: SmtpConnection, settings: EmailSettings) -> None:
        self.messages = 0
        self.sent = False
        self._step: Step = "greeting"
        self._connection = connection
        self._settings = settings
        self._secured = "TLS" if settings.tls == "tls" else ""

    async def end_with(self, doing: Coroutine[Any, Any, T], deadline: float) -> T | Ending:
        """Return what a part of it comes to, or that it was broken off; then the connection is closed.

        Never raise for what the network or they do.
        """
        host, _ = self._settings.address
        ending: Ending
        try:
            async with asyncio.timeout_at(deadline):
                return await doing
        except _Ended as ended:
            ending = ended.ending
        except TimeoutError:
            ending = self._lost("no answer in time")
        except OSError as error:
            ending = self._lost(str(error) or type(error).__name__)
            if isinstance(error, ssl.SSLError) and ending.step == "starttls":
                ending = TransportFailure(kind="tls", reason=f"TLS with {host}: {describe(error)}", sent=False)
        except NotSmtp as error:
            ending = self._lost(str(error)) if self.sent else Unfit(reason=f"{error}: check host, port and tls")
        except BaseException:
            self.abort()
            raise
        if isinstance(ending, Lost):
            self.abort()
        else:
            self.quit()
        return ending

    @property
    def is_open(self) -> bool:
        """Return whether neither side has closed the connection, as far as we know."""
        return self._connection.is_open

    def quit(self) -> None:
        """Say goodbye, unless the connection is closed."""
        self._connection.quit()

    def abort(self) -> None:
        """Close the connection at once."""
        self._connection.abort()

    def _lost(self, reason: str) -> Lost:
        return Lost(step=self._step, reason=reason, sent=self.sent)

    async def begin(self) -> None:
        """Go through all steps before a message. Raises _Ended, OSError, NotSmtp."""
        self._check(await self._connection.reply(), "greeting")
        extensions = await self._say_hello()
        if self._settings.tls == "starttls":
            extensions = await self._secure(extensions)
        if self._settings.login:
            await self._log_in(extensions)

    async def ask(self) -> Ending:
        """Ask nothing of them but whether they are there. Raises OSError, NotSmtp."""
        return Completed(reply=await self._connection.command("NOOP"), refused={}, secured=self._secured)

    async def reset(self) -> bool:
        """Return whether they are there, for another message. Raises OSError, NotSmtp."""
        self.sent = False
        return (await self._reply("mail", "RSET")).code < 400

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

    async def send(self, envelope: Envelope, *, patient: bool = True) -> Ending:
        """Give them a message. Raises _Ended, OSError, NotSmtp.

        `patient`: an address that is refused for now holds up the whole message, so that nobody gets it twice.
        """
        self.messages += 1
        await self._command("mail", f"MAIL FROM:<{envelope.sender}>")
        refused = {}
        for recipient in envelope.recipients:
            reply = await self._reply("rcpt", f"RCPT TO:<{recipient}>")
            if reply.code >= 400:
                refused[recipient] = reply
            if reply.code == _CLOSING:
                break
        if refused and (len(refused) == len(envelope.recipients) or _holds_up(refused, patient=patient)):
            return Refused(step="rcpt", reply=next(iter(refused.values())), refused=refused)
        await self._command("data", "DATA")
        reply = await self._send_message(envelope.message)
        if reply.code >= 400:
            return Refused(step="message", reply=reply, refused=refused)
        return Completed(reply=reply, refused=refused, secured=self._secured)

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


def _holds_up(refused: dict[str, SmtpReply], *, patient: bool) -> bool:
    """Return whether an address that is refused for now holds up the others."""
    codes = [reply.code for reply in refused.values()]
    return _CLOSING in codes or (patient and any(code < 500 for code in codes))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
