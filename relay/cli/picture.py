"""What the demo shows while it runs: a picture that follows on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import parse_qsl

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from relay.cli.demo_check import Seen
from relay.cli.masking import mask
from relay.cli.output import console, print_lines
from relay.cli.timefmt import format_time
from relay.model import DeliveryState
from relay.sandbox.arrivals import Arrival
from relay.store.stored import StoredDelivery, StoredReceipt

NEWEST = 12
BODY_CHARACTERS = 160
_SECRETS: Final = frozenset({"api_key", "apikey", "api_id", "login", "psw"})
"""The fields of forms in which vendors are told who asks."""
_WIDTHS = {"time": 12, "became": 9, "answer": 6}  # the others share the rest
_COLORS = {"delivered": "green", "routed": "green", "dead": "red", "held": "red", "malformed": "red"}


class Picture(Protocol):
    """Something that shows what is there."""

    def update(self, seen: Seen, titles: Mapping[str, str]) -> None:
        """Show it. `titles` says of receipts what they are."""


class Lines:
    """Prints a line for everything that is new; `known` is not."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._told = set(known)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """There is nothing to put back."""

    def update(self, seen: Seen, titles: Mapping[str, str]) -> None:
        """Print what is new."""
        for line in lines(seen, titles):
            if line not in self._told:
                self._told.add(line)
                print_lines([line])


def lines(seen: Seen, titles: Mapping[str, str]) -> Iterator[str]:
    """Tell what is there, a line each."""
    for receipt in _oldest_first(seen):
        yield f"hook      {receipt.id}  {titles.get(receipt.id, 'from outside')}"
        if receipt.duplicates:
            yield f"hook      {receipt.id}  again, {receipt.duplicates} time(s): a duplicate, not routed"
        if receipt.config:
            yield f"{receipt.state:<9} {receipt.id}  {receipt.reason}".rstrip()
    for delivery in seen.deliveries.values():
        if delivery.finished_at is not None:
            yield f"{delivery.state:<9} {delivery.id}  {delivery.route} → {delivery.sink}  {delivery.reason}".rstrip()
    for arrival in seen.arrivals:
        yield f"arrived   #{arrival.seq} {request_line(arrival)}"


class LivePicture:
    """Draws the newest of everything anew, over and over."""

    def __init__(self) -> None:
        self._live = Live(console=console(), auto_refresh=False)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._live)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Leave the last picture standing."""
        self._open.close()

    def update(self, seen: Seen, titles: Mapping[str, str]) -> None:
        """Draw it."""
        self._live.update(Group(_hooks(seen, titles), Text(), _arrived(seen.arrivals)), refresh=True)


def _hooks(seen: Seen, titles: Mapping[str, str]) -> Table:
    table = _table("amoCRM → relay", "time", "what came in", "became", "deliveries")
    for receipt in _oldest_first(seen)[-NEWEST:]:
        made = [seen.deliveries[id] for id in receipt.deliveries if id in seen.deliveries]
        again = f" ×{receipt.duplicates + 1}" if receipt.duplicates else ""
        title = titles.get(receipt.id, "from outside") + again
        table.add_row(format_time(receipt.received_at)[11:], title, _state(receipt.state), _deliveries(made))
    return table


def _deliveries(deliveries: Sequence[StoredDelivery]) -> RenderableType:
    return Text("\n").join(map(_delivery, deliveries))


def _delivery(delivery: StoredDelivery) -> Text:
    why = "" if delivery.state is DeliveryState.DELIVERED else mask(f" {delivery.reason}")
    return Text.assemble(f"→ {delivery.sink} ", _state(delivery.state), why)


def _state(state: str) -> Text:
    return Text(state, style=_COLORS.get(state, "yellow"))


def _arrived(arrivals: Sequence[Arrival]) -> Table:
    table = _table("relay → vendors", "time", "answer", "request")
    for arrival in arrivals[-NEWEST:]:
        answer = f"{arrival.status or arrival.fault}{' (repeat)' if arrival.repeat else ''}"
        table.add_row(format_time(arrival.at)[11:], answer, Text(mask(request_line(arrival))))
    return table


def _table(title: str, *columns: str) -> Table:
    """Make a table of one line a row: a picture higher than the terminal is cut."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=True)
    for column in columns:
        width = _WIDTHS.get(column)
        table.add_column(column, no_wrap=True, width=width, ratio=None if width else 1)
    return table


def request_line(arrival: Arrival) -> str:
    """Write what arrived in a line, a form decoded and without who we are."""
    body = _form(arrival.body) if "form-urlencoded" in arrival.headers.get("content-type", "") else arrival.body
    shown = body if len(body) <= BODY_CHARACTERS else body[:BODY_CHARACTERS] + "…"
    return f"{arrival.method} /{arrival.vendor}{arrival.path} {shown}"


def _form(body: str) -> str:
    fields = parse_qsl(body, keep_blank_values=True)
    return "&".join(f"{name}={value}" for name, value in fields if name not in _SECRETS)


def _oldest_first(seen: Seen) -> list[StoredReceipt]:
    return sorted(seen.receipts.values(), key=lambda receipt: receipt.id)


def picture() -> Lines | LivePicture:
    """Choose by what stdout is."""
    return LivePicture() if sys.stdout.isatty() else Lines()
