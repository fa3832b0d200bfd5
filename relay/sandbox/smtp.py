"""The fake mail server on its port: lines in, replies out, with the faults of the sandbox.

A fault of the vendor `smtp` without a path is about the message itself, behind its final dot; with one it is about the
step of that name (`relay.sandbox.vendors.smtp`). `status` answers with that code, `throttle` with 421, `html` with what
is no reply, `truncated` with half of one.
"""

import asyncio
import base64
import contextlib
import ssl
from typing import Final

import msgspec

from relay.sandbox.app import FakeVendors
from relay.sandbox.faults import InjectedFault, Point
from relay.sandbox.pauses import PausedRequest
from relay.sandbox.vendors.base import Answer, VendorRequest
from relay.sandbox.vendors.smtp import FROM, TO
from relay.sandbox.wire import reset

VENDOR: Final = "smtp"
_REOPEN_SECONDS: Final = 0.05
_SLOW_SECONDS: Final = 30.0
_MESSAGE: Final = "/message"
_MAX_MESSAGE: Final = 1 << 20
_THROTTLED: Final = 421


class _Ended(Exception):
    """The connection is over."""


class MailPort:
    """The port of the fake mail server. `tls`: it offers STARTTLS, or with `from_start` begins with TLS."""

    def __init__(self, sandbox: FakeVendors, port: int, tls: ssl.SSLContext | None = None, *, from_start: bool = False):
        self.port = port
        self._sandbox = sandbox
        self._tls = tls
        self._from_start = from_start
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, on this machine only."""
        context = self._tls if self._from_start else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context, limit=_MAX_MESSAGE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close_for(self, seconds: float) -> None:
        """Refuse connections for so many seconds."""
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(seconds)
        while True:
            with contextlib.suppress(OSError):  # an outgoing connection of another process uses the port just now
                await self.open()
                return
            await asyncio.sleep(_REOPEN_SECONDS)

    async def close(self) -> None:
        """Listen no more, and end the connections."""
        if self._server is not None:
            self._server.close()
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offered, task = None if self._from_start else self._tls, asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            # Cancelled: by `close`. asyncio takes it for an error of the server's.
            with contextlib.suppress(_Ended, OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _Client(self._sandbox, reader, writer, offered).serve()
        finally:
            self._serving.discard(task)
            writer.close()


class _Client:
    """One connection of a client."""

    def __init__(
        self,
        sandbox: FakeVendors,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._sandbox = sandbox
        self._reader = reader
        self._writer = writer
        self._tls = tls
        self._sender = ""
        self._recipients: list[str] = []

    @property
    def ended(self) -> bool:
        """Whether either side has ended it."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def serve(self) -> None:
        """Answer commands until the client leaves. Raises _Ended, OSError."""
        await self._answer("/connect", b"")
        while line := await self._reader.readline():
            command, _, rest = line.decode(errors="replace").rstrip("\r\n").partition(" ")
            match command.upper():
                case "EHLO":
                    await self._greet()
                case "AUTH":
                    await self._log_in(rest)
                case "DATA":
                    if (await self._answer("/data", b"")).status == 354:
                        await self._read_message()
                case "STARTTLS" if self._tls is not None:
                    if (await self._answer("/starttls", b"")).status == 220:
                        await self._writer.start_tls(self._tls)
                        self._tls = None
                case "QUIT":
                    await self._answer("/quit", b"")
                    return
                case name:
                    await self._take_address(name, rest)

    async def _greet(self) -> None:
        offered = ["sandbox.example.com", *(["STARTTLS"] if self._tls else []), "AUTH PLAIN LOGIN", "8BITMIME"]
        lines = "".join(f"250-{name}\r\n" for name in offered)
        await self._answer("/ehlo", b"", lines + "250 SIZE 1048576\r\n")

    async def _log_in(self, given: str) -> None:
        mechanism, _, initial = given.partition(" ")
        if mechanism.upper() == "PLAIN":
            credentials = base64.b64decode(initial or await self._ask(""))
        else:
            login = base64.b64decode(await self._ask("Username:"))
            credentials = b"\0".join((b"", login, base64.b64decode(await self._ask("Password:"))))
        await self._answer("/auth", credentials)

    async def _ask(self, what: str) -> str:
        self._writer.write(f"334 {base64.b64encode(what.encode()).decode()}\r\n".encode())
        return (await self._reader.readline()).decode().strip()

    async def _take_address(self, name: str, rest: str) -> None:
        answer = await self._answer(f"/{name.lower()}", rest.encode())
        if answer.status < 300:
            address = rest.partition("<")[2].partition(">")[0]
            if name.upper() == "MAIL":
                self._sender, self._recipients = address, []
            elif name.upper() == "RCPT":
                self._recipients.append(address)

    async def _read_message(self) -> None:
        lines = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise _Ended
            lines.append(line[1:] if line.startswith(b".") else line)
        await self._answer(_MESSAGE, b"".join(lines))

    async def _answer(self, step: str, body: bytes, lines: str = "") -> Answer:
        """Answer a step as the mail server does, or as a fault says; `lines` replace its reply where it says yes."""
        request = VendorRequest(
            vendor=VENDOR,
            method="SMTP",
            path=step,
            query="",
            headers={FROM: self._sender, TO: ",".join(self._recipients)} if step == _MESSAGE else {},
            body=b"" if step == "/auth" else body,  # what is logged
        )
        await self._point("before-read", step)
        fault = self._sandbox.faults_in_force.take(VENDOR, step, by_path=step != _MESSAGE)
        if fault is not None and not fault.stores:
            self._sandbox.log.add(request, None, _code(fault), fault.fault)
            return await self._fail(fault, _reply(500, ""))
        answer = _known_ehlo(step) or self._sandbox.vendor(VENDOR).answer(msgspec.structs.replace(request, body=body))
        await self._point("stored", step)
        if step == _MESSAGE or answer.status >= 400 or fault:
            self._sandbox.log.add(
                request, answer, _code(fault) if fault else answer.status, fault.fault if fault else ""
            )
        if fault is not None:
            return await self._fail(fault, answer)
        await self._point("before-answer", step)
        self._write(lines if lines and answer.status < 400 else f"{answer.status} {answer.content}\r\n")
        await self._writer.drain()
        await self._point("answered", step)
        return answer

    async def _point(self, at: Point, step: str) -> None:
        if pause := self._sandbox.faults_in_force.take(VENDOR, step, at, by_path=step != _MESSAGE):
            await self._sandbox.pauses.pause(pause, PausedRequest(vendor=VENDOR, path=step, at=at), self)

    async def _fail(self, fault: InjectedFault, answer: Answer) -> Answer:
        """Do what a fault says. Raises _Ended where the connection is over then."""
        reply = f"{answer.status} {answer.content}\r\n"
        match fault.fault:
            case "status" | "throttle":
                code = _code(fault) or 500
                self._write(f"{code} injected\r\n")
                await self._writer.drain()
                if code == _THROTTLED:
                    raise _Ended
                return _reply(code, "injected")
            case "hang":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._reader.read(), fault.seconds)
            case "reset":
                reset(self._writer.transport)
            case "html":
                self._write("<!DOCTYPE html><html><body>We will be back soon</body></html>\r\n")
            case "truncated":
                self._write(reply[: len(reply) // 2])
            case "slow_headers":
                for character in reply:
                    self._write(character)
                    await asyncio.sleep((fault.seconds or _SLOW_SECONDS) / len(reply))
                return answer
        raise _Ended

    def _write(self, text: str) -> None:
        self._writer.write(text.encode())


def _code(fault: InjectedFault) -> int | None:
    return {"status": fault.status, "throttle": _THROTTLED}.get(fault.fault)


def _known_ehlo(step: str) -> Answer | None:
    return _reply(250, "sandbox.example.com") if step == "/ehlo" else None


def _reply(code: int, text: str) -> Answer:
    return Answer(content=text, status=code, stored=False)
