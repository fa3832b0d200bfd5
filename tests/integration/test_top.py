"""`relay top` follows a relay on a terminal, and prints once in a pipe."""

import json
import os
import pty
import subprocess
import sys
import time
from fcntl import ioctl
from select import select
from struct import pack
from termios import TIOCSWINSZ

import pytest

YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks: {books: {type: http, idempotency: honoured, url: "https://books.example.com"}}
routes: [{name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}]
"""


@pytest.fixture
def paused(relay):
    """Return a relay with an event and a problem."""
    relay.configure(YAML)
    relay.accept_leads(77)
    assert relay.command("sinks", "pause", "books", "--why", "they move", "--by", "anna")[0] == 0
    return relay


def test_in_a_pipe_it_prints_once(paused):
    status, shown = paused.command("top")
    assert status == 0
    assert "waiting 1" in shown
    assert "sink books: paused" in shown
    assert "acme  add_lead lead 77  routed" in shown


def test_for_programs_it_has_the_same_as_the_pages(paused):
    found = json.loads(paused.command("top", "--json")[1])
    assert found["numbers"][1] == {"name": "waiting", "count": 1, "list": "deliveries", "filters": {"state": "pending"}}
    assert "sink-paused:books" in [one["id"] for one in found["problems"]]
    assert [one["entity_id"] for one in found["events"]] == ["77"]


class Terminal:
    """A terminal of 80 by 24 in which a command runs."""

    def __init__(self, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        ioctl(self._ours, TIOCSWINSZ, pack("HHHH", 24, 80, 0, 0))
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ)
        os.close(theirs)
        self._printed = ""

    def wait_for(self, text: str, seconds: float = 90) -> None:
        """Wait until the command has shown a text since the last key."""
        end = time.monotonic() + seconds
        while text not in self._printed:
            assert time.monotonic() < end, self._printed
            if select([self._ours], [], [], 1)[0]:
                self._printed += os.read(self._ours, 65536).decode(errors="replace")

    def press(self, keys: str) -> None:
        self._printed = ""
        os.write(self._ours, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait(30)
        os.close(self._ours)


def test_on_a_terminal_keys_open_mark_search_and_end(paused, run):
    terminal = Terminal(sys.executable, "-m", "relay", "top", "--every", "0.5")
    try:
        terminal.wait_for("lead 77")
        terminal.press("?")
        terminal.wait_for("next and previous row")
        terminal.press("q")
        terminal.wait_for("lead 77")
        terminal.press("ge\r")
        terminal.wait_for("receipt r0000")
        terminal.press("q/lead:1\r")
        terminal.wait_for("nothing matches")
        terminal.press("gpx")
        terminal.wait_for("✓")
        terminal.press("q")
        while terminal.process.poll() is None:
            terminal.wait_for("")
            terminal.process.wait(60)
        assert terminal.process.returncode == 0
        assert run(paused.store.acts.audit(1))[0].act == "see"
    finally:
        terminal.close()
