"""What the bench has measured: one process on a core of its own, and bytes in the store.

Written by `python -m tests.bench --publish`, of docs/bench.json.
"""

from typing import Final

HOOKS_A_SECOND: Final = 5_849
DELIVERIES_A_SECOND: Final = 2_277
WAITING_BYTES: Final = 2_243
DELIVERED_BYTES: Final = 2_629
