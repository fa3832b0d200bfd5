"""When each hook was where on its way: stamps that the processes keep in memory, and write when SIGNAL comes.

For `tests.bench.timeline`, which starts uvicorn with `tests.bench.stamps:create` and Celery with
`tests.bench.stamps_of_worker`. Only public names are wrapped: what is renamed fails the test of this module.
"""

import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

from relay.model import Delivery, Receipt, RoutedReceipt
from relay.store.records import Handed, Hook, Settlement
from relay.store.store import Store
from tests.bench.receiver import find_lead

SIGNAL: Final = signal.SIGRTMIN
FOLDER: Final = "BENCH_STAMPS"  # the variable that names the folder they are written to

Stamps = dict[str, dict[str, float]]
Set = Callable[[object, str, object], None]


class Kept:
    """The stamps of a process: by receipts, each the first time that it is marked; and its calls of the store."""

    def __init__(self) -> None:
        self.stamps: Stamps = {}
        self.calls: list[tuple[str, float, float, int]] = []  # name, begin, end, how many it was for

    def mark(self, ids: Iterable[str], name: str, at: float | None = None) -> None:
        now = time.monotonic() if at is None else at
        for id in ids:
            self.stamps.setdefault(id, {}).setdefault(name, now)

    def wrap_call(
        self, owner: object, name: str, ids_of: Callable[..., Sequence[str]], begin: str, end: str, set: Set
    ) -> None:
        """Mark the begin and the end of an asynchronous function, whose arguments tell what it is for."""
        call: Callable[..., Awaitable[Any]] = getattr(owner, name)

        @wraps(call)
        async def marked(*args: Any, **kwargs: Any) -> Any:
            ids, began = ids_of(*args), time.monotonic()
            self.mark(ids, begin, began)
            answer = await call(*args, **kwargs)
            ended = time.monotonic()
            self.mark(ids, end, ended)
            self.calls.append((name, began, ended, len(ids)))
            return answer

        set(owner, name, marked)

    def write_on_signal(self, part: str) -> None:
        """Write them to the folder, and forget them, whenever SIGNAL comes."""

        def write(*_: object) -> None:
            file = Path(os.environ[FOLDER]) / f"{part}.json"
            stamps, calls = self.stamps, self.calls
            self.stamps, self.calls = {}, []
            file.with_suffix(".part").write_text(json.dumps({"stamps": stamps, "calls": calls}))
            file.with_suffix(".part").rename(file)

        signal.signal(SIGNAL, write)


def mark_web(kept: Kept, set: Set = setattr) -> None:
    """Mark when a hook arrived, and its group left and was answered by the store."""
    from relay.web.group_commit import GroupCommit

    put = GroupCommit.put

    @wraps(put)
    async def marked(self: GroupCommit, hook: Hook, started_at: float) -> Any:
        kept.mark([hook.id], "lead", find_lead(hook.body))
        kept.mark([hook.id], "arrived", started_at)
        return await put(self, hook, started_at)

    set(GroupCommit, "put", marked)
    kept.wrap_call(Store, "accept", lambda _, hooks, *__: [hook.id for hook in hooks], "left", "stored", set)


def mark_worker(kept: Kept, set: Set = setattr) -> None:
    """Mark what becomes of a hook in a worker: heard, planned, written, sent, settled."""
    from workers import router, sink_attempts
    from workers.handed_receipts import HandedReceipts

    add, plan = HandedReceipts.add, router.plan_batch

    def marked_add(self: HandedReceipts, handed: Handed) -> None:
        kept.mark([receipt.id for receipt in handed.receipts], "heard")
        add(self, handed)

    def marked_plan(receipts: Sequence[Receipt], *args: Any) -> list[RoutedReceipt]:
        ids = [receipt.id for receipt in receipts]
        kept.mark(ids, "planning")
        planned = plan(receipts, *args)
        kept.mark(ids, "planned")
        return planned

    set(HandedReceipts, "add", marked_add)
    set(router, "plan_batch", marked_plan)
    for name in ("save_routed", "save_routed_and_claim"):
        kept.wrap_call(Store, name, _routed_ids, "writing", "written", set)
    kept.wrap_call(sink_attempts, "attempt", lambda deliveries, *_: _receipts_of(deliveries), "begun", "answered", set)
    for name in ("settle", "settle_and_claim"):
        kept.wrap_call(Store, name, _settled_ids, "settling", "settled", set)


def _routed_ids(_: Store, __: str, parts: Sequence[RoutedReceipt], *___: object) -> list[str]:
    return [part.receipt.id for part in parts]


def _settled_ids(_: Store, __: str, items: Sequence[Settlement], *___: object) -> list[str]:
    return _receipts_of([item.delivery for item in items])


def _receipts_of(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.event_id.partition(".")[0] for delivery in deliveries]


def create() -> Any:
    """Make the web application, that marks its hooks."""
    from relay.web.app import create as create_web

    kept = Kept()
    mark_web(kept)
    kept.write_on_signal("web")
    return create_web()
