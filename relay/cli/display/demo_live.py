"""The demo's live view: the newest hooks and requests, drawn again and again on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from relay.cli.display.output import console
from relay.cli.display.vendor_request import format_vendor_request
from relay.demo.check import DemoState
from relay.masking import mask_people
from relay.model import DeliveryState
from relay.printable import escape_line
from relay.sandbox.request_log import LoggedRequest
from relay.store.stored import StoredDelivery
from relay.timefmt import format_clock

NEWEST: Final = 12
_WIDTHS: Final = {"time": 14, "state": 9, "answer": 6}  # the other columns share the rest
_COLORS: Final = {"delivered": "green", "routed": "green", "dead": "red", "held": "red", "malformed": "red"}


class LiveView:
    """Draws the newest of everything in place."""

    def __init__(self) -> None:
        self._live = Live(console=console(), auto_refresh=False)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._live)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Leave the last drawing on the terminal."""
        self._stack.close()

    def update(self, state: DemoState, titles: Mapping[str, str]) -> None:
        """Draw what there is."""
        tables = Group(_hooks_table(state, titles), Text(), _requests_table(state.vendor_requests))
        self._live.update(tables, refresh=True)


def _hooks_table(state: DemoState, titles: Mapping[str, str]) -> Table:
    table = _table("amoCRM → relay", "time", "hook", "state", "deliveries")
    for receipt in state.receipts_by_arrival[-NEWEST:]:
        deliveries = [state.deliveries[id] for id in receipt.deliveries if id in state.deliveries]
        times = f" ×{receipt.duplicates + 1}" if receipt.duplicates else ""
        title = titles.get(receipt.id, "from outside") + times
        table.add_row(format_clock(receipt.received_at), title, _state(receipt.state), _deliveries(deliveries))
    return table


def _deliveries(deliveries: Iterable[StoredDelivery]) -> Text:
    return Text("\n").join(map(_delivery, deliveries))


def _delivery(delivery: StoredDelivery) -> Text:
    reason = "" if delivery.state is DeliveryState.DELIVERED else escape_line(mask_people(f" {delivery.reason}"))
    return Text.assemble(f"→ {delivery.sink} ", _state(delivery.state), reason)


def _state(state: str) -> Text:
    return Text(state, style=_COLORS.get(state, "yellow"))


def _requests_table(requests: Sequence[LoggedRequest]) -> Table:
    table = _table("relay → vendors", "time", "answer", "request")
    for request in requests[-NEWEST:]:
        answer = f"{request.status or request.fault}{' (repeat)' if request.repeat else ''}"
        table.add_row(format_clock(request.at), answer, Text(escape_line(mask_people(format_vendor_request(request)))))
    return table


def _table(title: str, *columns: str) -> Table:
    """Make a table of one line a row: a live view that is higher than the terminal would be cut."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=True)
    for column in columns:
        width = _WIDTHS.get(column)
        table.add_column(column, no_wrap=True, width=width, ratio=None if width else 1)
    return table
