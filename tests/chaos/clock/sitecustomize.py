"""Put the relay's clock as far ahead as a file says, in seconds: Python imports this first where it is on the path.

The file may change at any time. The fakes have the true time.
"""

import os
import sys
import time

_FILE = os.environ["CHAOS_CLOCK"]
_true_ns, _monotonic = time.time_ns, time.monotonic
_ahead_ns, _read_at = 0, float("-inf")


def _time_ns() -> int:
    global _ahead_ns, _read_at
    if _monotonic() - _read_at > 0.05:
        with open(_FILE) as file:
            _ahead_ns, _read_at = int(float(file.read() or 0) * 1e9), _monotonic()
    return _true_ns() + _ahead_ns


if "relay.sandbox" not in sys.orig_argv:
    time.time_ns = _time_ns
    time.time = lambda: _time_ns() / 1e9
