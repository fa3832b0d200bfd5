"""The types of sinks: built in, and of installed packages."""

import subprocess
import sys

from relay.sinks.registry import sink_types


def test_the_built_in_sinks_are_there_by_their_type():
    assert {"http", "log", "moysklad", "sms", "smsc", "smsru", "unisender"} <= sink_types().keys()
    assert all(sink.type == name for name, sink in sink_types().items())


def test_the_interface_is_imported_without_any_sink():
    """Else an installed package whose module is imported first would meet itself half loaded."""
    script = "import sys, relay.sinks.base, relay.sinks.sms.gateway; print('relay.sinks.registry' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
