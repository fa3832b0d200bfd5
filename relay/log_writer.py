"""Write log lines to a stream whose reader may stall: work never waits for it, lines are dropped and counted."""

import asyncio
import atexit
import logging
import os
import select
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, TextIO

MOST_WAITING: Final = 1 << 20  # characters of lines that wait for a reader; those that come then are dropped
AT_ONCE: Final = 4096  # bytes that a pipe takes without waiting, where it takes any: PIPE_BUF
AGAIN_SECONDS: Final = 0.2  # between two looks whether the reader reads again
LAST_SECONDS: Final = 1.0  # for the lines that wait when the process ends


class LineWriter:
    """A logger for structlog that writes to a stream. In an event loop the lines of one tick are written together.

    `report` is called with the number of lines that were dropped, once they can be written again.
    """

    def __init__(self, stream: TextIO, report: Callable[[int], None]) -> None:
        self._stream = stream
        self._report = report
        self._file = _open_file(stream)
        self._lines: deque[str] = deque()  # any thread may append to it
        self._parts: deque[bytes] = deque()  # what is being written, each of whole lines but for the first
        self._waiting = 0  # characters of both
        self._dropped = 0
        self._writing = threading.Lock()
        self._flush_scheduled = False
        atexit.register(self.close)

    def msg(self, line: str) -> None:
        """Write a line: at the end of this thread's loop tick, or at once where no loop runs."""
        if self._waiting > MOST_WAITING:
            self._dropped += 1
            return
        self._lines.append(line)
        self._waiting += len(line)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    log = debug = info = warning = error = critical = exception = msg

    def flush(self) -> None:
        """Write what waits, as far as it is taken without waiting."""
        self._flush_scheduled = False  # first: lines that are added from now on schedule a flush of their own
        while (self._lines or self._parts) and self._writing.acquire(blocking=False):  # else another thread writes them
            try:
                written = self._write_waiting()
            finally:
                self._writing.release()
            if not written:
                self._flush_later()
                return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._report(dropped)

    def close(self) -> None:
        """Write what waits, for a second at most: nobody may read it."""
        deadline = time.monotonic() + LAST_SECONDS
        self.flush()
        while (self._lines or self._parts) and time.monotonic() < deadline:
            time.sleep(AGAIN_SECONDS / 10)
            self.flush()

    def _flush_later(self) -> None:
        """Try again soon; where no loop runs, with the next line."""
        if not self._flush_scheduled:
            try:
                asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.flush)
            except RuntimeError:
                return
            self._flush_scheduled = True

    def _write_waiting(self) -> bool:
        """Write the lines that wait. Returns False where no more is taken."""
        lines = [self._lines.popleft() + "\n" for _ in range(len(self._lines))]
        if self._file is None:
            self._stream.write("".join(lines))
            self._stream.flush()
        else:
            self._parts.extend(self._file.parts(lines))
            while self._parts:
                written = self._write_part(self._file, self._parts[0])
                if written < len(self._parts[0]):
                    self._parts[0] = self._parts[0][written:]
                    return False
                self._parts.popleft()
        self._waiting = 0
        return True

    def _write_part(self, file: "_File", part: bytes) -> int:
        """Return how many bytes of a part are done with."""
        try:
            return file.write(part)
        except OSError:  # a full disk, or nobody at the other end: work goes on
            self._dropped += part.count(b"\n")
            return len(part)


class LineHandler(logging.Handler):
    """Passes the lines of other people's loggers to a writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record at once: uvicorn ends by its signal, in the tick in which it logs that it does."""
        try:
            self._writer.msg(self.format(record))
            self._writer.flush()
        except Exception:  # noqa: BLE001  as every handler of the standard library does
            self.handleError(record)


class _File:
    """An open file, which may be a pipe, a socket or a terminal. Only a regular file takes everything at once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._regular = stat.S_ISREG(os.fstat(fd).st_mode)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, part: bytes) -> int:
        """Write what is taken without waiting. Returns how many bytes. Raises OSError."""
        written = 0
        while written < len(part) and (self._regular or self._poll.poll(0)):
            try:
                written += os.write(self._fd, part[written:] if self._regular else part[written : written + AT_ONCE])
            except BlockingIOError:
                break
        return written

    def parts(self, lines: list[str]) -> Iterator[bytes]:
        """Encode lines, in parts that a pipe takes whole: others may write to it too."""
        part = b""
        for line in ["".join(lines)] if self._regular and lines else lines:
            encoded = line.encode(errors="backslashreplace")
            if part and len(part) + len(encoded) > AT_ONCE:
                yield part
                part = b""
            part += encoded
        if part:
            yield part


def _open_file(stream: TextIO) -> _File | None:
    """Return the file of a stream, None where it has none."""
    try:
        return _File(stream.fileno())
    except (OSError, ValueError):
        return None
