"""A reader that stalls holds up nothing: lines wait for it, then they are dropped and counted."""

import asyncio
import io
import logging
import os
import threading

import pytest

from relay import log_writer
from relay.log_writer import LineHandler, LineWriter

LINE = "x" * 300


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream, open(reading, "rb", buffering=0) as reader:
        yield stream, reader


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(log_writer, "AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(log_writer, "LAST_SECONDS", 0.01)


def read_lines(reader, n: int) -> list[bytes]:
    data = b""
    while data.count(b"\n") < n:
        data += reader.read(65_536)
    return data.split(b"\n")[:-1]


def read_to_end(reader) -> list[bytes]:
    data = b""
    while part := reader.read(65_536):
        data += part
    return data.split(b"\n")[:-1]


def lines(count: int) -> list[str]:
    return [f"{n} {LINE}" for n in range(count)]


@pytest.mark.parametrize("in_a_loop", [True, False])
def test_lines_that_nobody_reads_are_dropped_and_the_rest_is_whole_and_in_order(pipe, quick, in_a_loop):
    stream, reader = pipe
    dropped: list[int] = []
    writer = LineWriter(stream, dropped.append)
    written = lines(log_writer.MOST_WAITING // len(LINE) + 2000)

    async def log_all() -> None:
        for line in written:
            writer.msg(line)
            await asyncio.sleep(0)

    if in_a_loop:
        asyncio.run(log_all())
    else:
        for line in written:
            writer.msg(line)
    assert not dropped  # it is told once lines can be written again
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(read_to_end(reader)))
    thread.start()
    while not dropped:
        writer.close()
    stream.close()
    thread.join()
    assert len(found) + sum(dropped) == len(written)
    assert sum(dropped) > 0
    assert [line.decode() for line in found] == written[: len(found)]


def test_in_a_loop_what_waits_is_written_once_it_is_read_without_another_line(pipe, quick):
    stream, reader = pipe
    writer, written = LineWriter(stream, lambda _: None), lines(1000)

    async def log_and_read() -> list[bytes]:
        for line in written:
            writer.msg(line)
        return await asyncio.to_thread(read_lines, reader, len(written))

    assert [line.decode() for line in asyncio.run(log_and_read())] == written


def test_where_nobody_is_at_the_other_end_work_goes_on(pipe, quick):
    stream, reader = pipe
    dropped: list[int] = []
    writer = LineWriter(stream, dropped.append)
    reader.close()
    writer.msg("lost")
    assert dropped == [1]


def test_a_line_longer_than_a_pipe_takes_at_once_arrives_whole(pipe, quick):
    stream, reader = pipe
    writer, line = LineWriter(stream, lambda _: None), "é" * 10_000
    writer.msg(line)
    assert read_lines(reader, 1) == [line.encode()]


def test_lines_of_others_are_written_at_once_also_in_a_loop(tmp_path):
    async def log_and_look() -> str:
        with (tmp_path / "log").open("w") as file:
            handler = LineHandler(LineWriter(file, lambda _: None))
            handler.emit(logging.LogRecord("theirs", logging.INFO, "file", 1, "the last line", (), None))
            return (tmp_path / "log").read_text()  # no tick has passed

    assert asyncio.run(log_and_look()) == "the last line\n"


def test_a_file_and_a_stream_without_one_get_every_line(tmp_path):
    written = lines(100)
    with (tmp_path / "log").open("w") as file:
        stream = io.StringIO()
        for target in (file, stream):
            writer = LineWriter(target, lambda _: None)
            for line in written:
                writer.msg(line)
    assert (tmp_path / "log").read_text() == stream.getvalue() == "".join(f"{line}\n" for line in written)
