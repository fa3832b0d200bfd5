"""`relay system`: how the relay itself stands."""

from collections.abc import Iterator

from relay.cli import options
from relay.cli.context.configuration import load_config
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines, print_table
from relay.operations.system import StoreState, SystemState, read_system
from relay.store.records import LiveWorker
from relay.timefmt import format_time

WORKERS = ("worker", "version", "seen")
RECORDS = ("records", "how many", "memory")


def system(json: options.JsonOption = False) -> None:
    """Show the store and what its memory is for, the workers and their versions, and the queues."""
    config = load_config()
    state = with_reader(lambda reader: read_system(reader, config))
    if json:
        print_json(state)
        return
    print_lines(_lines(state))
    if state.store.records is not None:
        print_table(RECORDS, [(one.kind, one.count, _size(one.bytes)) for one in state.store.records.kinds])
    if state.workers:
        print_table(WORKERS, map(_worker_row, state.workers))


def _lines(state: SystemState) -> Iterator[str]:
    yield f"relay {state.version}, configuration {state.config}"
    yield from _store_lines(state.store)
    yield from (f"could not be read: {what}: {why}" for what, why in state.failures.items())
    waiting, running = state.jobs
    inbox = "not known" if state.inbox is None else f"{state.inbox} hooks"
    yield f"inbox: {inbox}; jobs: {waiting} waiting, {running} being done"
    for one in state.accounts:
        yield f"look-ups in the account of {one.source}: {one.waiting} waiting, {one.in_flight} being done"
    for stall in state.stalls:
        yield f"{stall.worker} stood still ({stall.part}): {format_time(stall.at)}"
    if not state.workers:
        yield "no worker lives"


def _store_lines(store: StoreState) -> Iterator[str]:
    yield f"store: {store.durability or 'not known'}, in use since {format_time(store.in_use_since) or 'not known'}"
    if store.weakness:
        yield f"  {store.weakness}"
    if store.used is not None:
        limit = f" of {_size(store.limit)}" if store.limit else ", without a limit"
        ahead = f"; {store.forecast}" if store.forecast else ""
        yield f"  memory: {_size(store.used)}{limit}{ahead}"
        yield from (f"    {kind}: {_size(size)}" for kind, size in store.kinds.items())
    if store.emptied_at is not None:
        yield f"  found empty: {format_time(store.emptied_at)}"


def _worker_row(worker: LiveWorker) -> tuple[object, ...]:
    return worker.name, worker.version or "not known", format_time(worker.seen_at)


def _size(count: int) -> str:
    """Write bytes as people read them."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"
