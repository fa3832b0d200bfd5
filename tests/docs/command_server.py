"""Run the commands of pages, each in a fork of a process that has imported all of them: `… command_server SOCKET`.

To import them anew for each takes most of its time. A command has the arguments, folder, variables and files of the
`call_command` that asks for it, and is ended with that. The server prints a line when it listens, and ends with its
standard input.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from relay.cli import COMMANDS, app
from relay.cli.loading import load_command


def serve(address: str) -> None:
    """Take commands until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch a command
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("listening", flush=True)
        while sys.stdin not in (ready := select.select([sys.stdin, listening], [], [])[0]):
            assert ready == [listening]
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listening.close()
                    run_watched(connection)
                    return


def run_watched(connection: socket.socket) -> None:
    """Run a command in a fork of its own, and tell its exit status; kill it where whoever asked for it is gone."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as stream:
        request = json.loads(stream.readline())
    if (pid := os.fork()) == 0:
        connection.close()
        run(files, **request)
    for file in files:
        os.close(file)
    if connection in select.select([connection, os.pidfd_open(pid)], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status >= 0:
        connection.send(bytes([status]))


def run(files: Sequence[int], arguments: Sequence[str], folder: str, variables: Mapping[str, str]) -> Any:
    """Be `relay` with these arguments, and end as it does."""
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(place, mode, closefd=False) for place, mode in enumerate("rww"))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    sys.argv = ["relay", *arguments]
    app(prog_name="relay")


if __name__ == "__main__":
    for name in COMMANDS:
        load_command(name)
    serve(sys.argv[1])
