"""List deliveries by a filter, for the commands that do."""

import typer

from relay.cli.context.store import with_reader
from relay.cli.display.going_on import print_hints, print_how_to_go_on
from relay.cli.display.output import print_json, print_table
from relay.cli.display.paused import format_reason
from relay.model import DeliveryState
from relay.operations.search import STEP_SECONDS, EventFilter, find_deliveries
from relay.operations.unknown_filters import unknown_filters
from relay.store.stored import StoredDelivery
from relay.timefmt import format_time

COLUMNS = ("arrived", "delivery id", "sink", "state", "attempts", "next attempt", "route", "reason")


def print_deliveries(context: typer.Context, filters: EventFilter, *, json: bool, reveal: bool) -> None:
    """Print a page of deliveries, and by which command the list goes on. Raises ConfigError, StoreUnavailable."""
    page = with_reader(lambda reader: find_deliveries(reader, filters, STEP_SECONDS))
    if json:
        print_json(page.items, reveal=reveal)
    else:
        print_table(COLUMNS, map(_row, page.items), reveal=reveal)
    print_how_to_go_on(context, page)
    if not page.items:
        print_hints(with_reader(lambda reader: unknown_filters(reader, filters)))


def _row(delivery: StoredDelivery) -> tuple[object, ...]:
    next_attempt = "when its sink has room" if delivery.state is DeliveryState.PUT_OFF else ""
    if delivery.state is DeliveryState.PENDING and not delivery.paused:
        waits = "in its turn" if delivery.waits_for else format_time(delivery.due_at)
        next_attempt = "now" if delivery.in_flight else waits
    return (
        format_time(delivery.accepted_at),
        delivery.id,
        delivery.sink,
        delivery.state,
        delivery.attempts,
        next_attempt,
        delivery.route,
        format_reason(delivery),
    )
