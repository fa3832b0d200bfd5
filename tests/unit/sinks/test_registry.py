"""The types of sinks: built in, and of installed packages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from relay.config.known_answers import known_type
from relay.sandbox.vendors import VENDORS
from relay.sinks.registry import sink_types

ROOT = Path(__file__).parents[3]


def test_the_built_in_sinks_are_there_by_their_type():
    folders = {path.parent.name for path in (ROOT / "relay" / "sinks").glob("*/settings.py")} - {"subscriber"}
    assert folders | {"smsc", "smsru"} == sink_types().keys()
    assert all(sink.type == name for name, sink in sink_types().items())


@pytest.mark.parametrize("sink_type", sink_types().values(), ids=lambda sink_type: sink_type.type)
def test_every_sink_is_in_the_docs_with_its_content_keys(sink_type):
    page = (ROOT / "docs" / "sinks.md").read_text()
    assert f"type: {sink_type.type}" in page
    assert [key for key in sink_type.content_keys if not re.search(rf"\b{key}\b", page)] == []


def test_no_sink_is_told_to_be_written_as_another():
    assert [name for name in sink_types() if known_type(name, sink_types())] == []


def test_every_fake_is_on_the_page_of_the_sandbox():
    page = (ROOT / "docs" / "sandbox.md").read_text()
    assert [name for name in VENDORS if f"`/{name}`" not in page] == []


def test_the_interface_is_imported_without_any_sink():
    """Else a package whose module is imported first would be loaded again before its import has ended."""
    script = "import sys, relay.sinks.base, relay.sinks.sms.gateway; print('relay.sinks.registry' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
