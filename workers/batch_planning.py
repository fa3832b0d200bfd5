"""Plan a batch of receipts: what a defect breaks is one of them, never the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from relay.config.config import Config
from relay.logs import log
from relay.model import Receipt, ReceiptState, RoutedReceipt
from relay.planning import SubscriptionsBySource, plan_receipt, plan_receipts
from relay.sinks.base import Sink
from relay.store.body import pack
from relay.store.parts import group
from workers.planning_on_loop import size_bound

PLAN_BYTES: Final = 1 << 20  # bodies planned in one go, inflated: decoded they are several times as large


def plan_batch(
    receipts: Sequence[Receipt],
    config: Config,
    sinks: Mapping[str, Sink],
    subscribed: SubscriptionsBySource,
    turned: Callable[[], None],
) -> list[RoutedReceipt]:
    """Plan receipts, by one configuration. `turned` is called before each part of the work."""
    planned: list[RoutedReceipt] = []
    for some in group(
        receipts, size=lambda receipt: size_bound(receipt, config), max_count=len(receipts), max_size=PLAN_BYTES
    ):
        turned()
        try:
            planned += plan_receipts(some, config, sinks, subscribed)
        except Exception:  # noqa: BLE001  a defect of the relay in one of them: plan each by itself
            for receipt in some:
                turned()
                planned.append(_plan_or_quarantine(receipt, config, sinks, subscribed))
    turned()
    packed = [pack(receipt.body) for receipt in receipts]
    return [msgspec.structs.replace(one, packed=small) for one, small in zip(planned, packed, strict=True)]


def _plan_or_quarantine(
    receipt: Receipt, config: Config, sinks: Mapping[str, Sink], subscribed: SubscriptionsBySource
) -> RoutedReceipt:
    try:
        return plan_receipt(receipt, config, sinks, subscribed)
    except Exception as error:  # noqa: BLE001  this receipt waits for a new version, the others go on
        log.exception("receipt.quarantined", receipt_id=receipt.id)
        reason = f"internal error: {type(error).__name__}"
        state = ReceiptState.QUARANTINED
        return RoutedReceipt(
            receipt=receipt, state=state, reason=reason, config=config.version, events=(), deliveries=()
        )
