"""One line for every item, in each of the formats. In a process of its own: logging is set up once for all of one."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
from relay.log_format import configure
from relay.logs import log, log_each
from relay.model import Outcome

{configured}
log.info("before", n=1)
items = [{{"id": "d1", "outcome": Outcome.DELIVERED, "reason": "счёт 'два'\\nтри"}}, {{"id": "d2", "ms": 12}}, {{}}]
log_each("delivery.attempted", items, sink="books", tries=1)
log_each("nothing.happened", [], sink="books")
log.warning("asked", reason="https://x.example/?apikey=s3cr3t", error="POST /bot12:s3cr3t/send", token_of="acme")
log.info("after", n=2)
"""
CONFIGURED = ['configure("json")', 'configure("console")', ""]  # the last as a command logs


FORGING = r"""
import logging
from relay.log_format import configure
from relay.logs import log

{configured}
evil = "\x1b[2J\x9b1m\u202eone\n2026-11-29T00:00:00Z [info] forged \x7f"
log.info("an.event", reason=evil, items=[evil])
try:
    raise ValueError(evil + " +7 916 123-45-67")
except ValueError:
    log.exception("an.error")
    if logging.getLogger().handlers:  # a command leaves others' loggers alone
        logging.getLogger("theirs").exception("%s", evil)
"""


def logged_lines(configured: str, program: str = PROGRAM) -> list[str]:
    """Return the lines that were logged by a process that is set up so."""
    command = [sys.executable, "-X", "utf8", "-c", program.format(configured=configured)]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    assert not (done.stdout and done.stderr)
    return (done.stdout or done.stderr).splitlines()


@pytest.mark.parametrize("configured", CONFIGURED)
def test_every_item_has_a_line_and_none_make_none(configured):
    before, *each, _, after = logged_lines(configured)
    assert ("before" in before, "after" in after) == (True, True)
    assert ["delivery.attempted" in line for line in each] == [True] * 3


def test_as_json_a_line_holds_its_item_and_what_all_share():
    before, first, second, empty, _, after = map(json.loads, logged_lines('configure("json")'))
    shared = {"event": "delivery.attempted", "level": "info", "sink": "books", "tries": 1}
    shared |= {"timestamp": first["timestamp"]}
    assert first == {**shared, "id": "d1", "outcome": "delivered", "reason": "счёт 'два'\nтри"}
    assert second == {**shared, "id": "d2", "ms": 12}
    assert empty == shared
    assert (before["n"], after["n"]) == (1, 2)
    assert before["timestamp"] <= first["timestamp"] <= after["timestamp"]


@pytest.mark.parametrize("configured", CONFIGURED[1:])
def test_for_eyes_a_line_shows_its_item_and_what_all_share(configured):
    _, first, second, empty, *_ = logged_lines(configured)
    assert all("sink=books" in line and "tries=1" in line for line in (first, second, empty))
    assert ("id=d1" in first, "outcome=delivered" in first, "счёт" in first) == (True, True, True)
    assert ("id=d2" in second, "ms=12" in second) == (True, True)
    assert "id=" not in empty
    assert "id=d2" not in first
    assert "id=d1" not in second
    assert len({line.split()[0] for line in (first, second, empty)}) == 1  # one time for all of them


@pytest.mark.parametrize("configured", CONFIGURED)
def test_what_strangers_write_moves_no_cursor_forges_no_line_and_shows_nobody(configured):
    lines = logged_lines(configured, FORGING)
    assert not [character for character in "\n".join(lines) if character != "\n" and not character.isprintable()]
    assert "916 123-45-67" not in "\n".join(lines)
    assert not [line for line in lines if line.startswith("2026-11-29T00:00:00Z")]
    assert sum("an.event" in line for line in lines) == 1


@pytest.mark.parametrize("configured", CONFIGURED)
def test_what_others_say_is_logged_without_the_secrets_in_it(configured):
    *_, line, _ = logged_lines(configured)
    assert "https://x.example/?apikey=***" in line
    assert "/bot12:***/send" in line
    assert "acme" in line
    assert "s3cr3t" not in line
