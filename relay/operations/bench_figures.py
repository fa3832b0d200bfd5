"""What the bench has measured: one process on a core of its own, and bytes in the store.

Written by `python -m tests.bench --publish`, of docs/bench.json.
"""

from typing import Final

HOOKS_A_SECOND: Final = 17_143
DELIVERIES_A_SECOND: Final = 9_555
WAITING_BYTES: Final = 2_296
DELIVERED_BYTES: Final = 2_714
