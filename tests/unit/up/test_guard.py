"""The guard of a `relay up` that was killed ends what is left, and no later than it must."""

import subprocess
import sys

from relay.processes.orphan_guard import OrphanGuard
from tests.e2e.harness import until

HOUR = 3600.0


def test_a_process_that_has_ended_is_not_waited_for_until_its_new_parent_has_noticed() -> None:
    guard = OrphanGuard(HOUR)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    guard.watch(child.pid)
    with subprocess.Popen(["sleep", "3600"], start_new_session=True) as other:  # nobody's: it goes on
        guard._process.stdin.close()  # as the death of `relay up` does
        until(lambda: guard._process.poll() is not None, what="the guard to end, with the child a zombie of ours")
        assert other.poll() is None
        other.kill()
    assert child.wait() < 0
