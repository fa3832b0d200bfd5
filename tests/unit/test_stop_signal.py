"""The signal that ends a worker is heard also while its main thread hangs, and before Celery has its own handler."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, threading
from workers.stop_signal import call_on_stop_signal

def stop():
    print("stopping", flush=True)
    os._exit(7)

{before}
call_on_stop_signal(stop)
print("ready", flush=True)
{hang}
"""
HANGS = {
    "reading": "os.read(os.pipe()[0], 1)",
    "a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
}


@pytest.mark.parametrize("hang", HANGS)
@pytest.mark.parametrize("before", ["", "signal.signal(signal.SIGTERM, lambda *_: None)"])
def test_it_is_heard_whatever_the_main_thread_does(hang: str, before: str) -> None:
    program = PROGRAM.format(before=before, hang=HANGS[hang])
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "stopping\n"
        assert process.wait(60) == 7
