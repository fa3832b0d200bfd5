"""Show the demo while it runs: a live view on a terminal, a line for each thing that is new elsewhere."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self

from relay.cli.display.demo_live import LiveView
from relay.cli.display.output import print_lines
from relay.cli.display.vendor_request import format_vendor_request
from relay.config.config import Config
from relay.demo.check import DemoState, stored_requests, vendor_path
from relay.demo.run import DemoRun


def choose_view() -> "LineView | LiveView":
    """Return the view that fits stdout."""
    return LiveView() if sys.stdout.isatty() else LineView()


class LineView:
    """Prints the lines that are new; those of `printed` are not."""

    def __init__(self, printed: Iterable[str] = ()) -> None:
        self._printed = set(printed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Leave what was printed."""

    def update(self, state: DemoState, titles: Mapping[str, str]) -> None:
        """Print what is new."""
        for line in format_state(state, titles):
            if line not in self._printed:
                self._printed.add(line)
                print_lines([line])


def format_state(state: DemoState, titles: Mapping[str, str]) -> Iterator[str]:
    """Format what there is: a line for each hook, each finished delivery, each request to a vendor."""
    for receipt in state.receipts_by_arrival:
        yield f"hook      {receipt.id}  {titles.get(receipt.id, 'from outside')}"
        if receipt.duplicates:
            yield f"hook      {receipt.id}  sent again, {receipt.duplicates} time(s): a duplicate, not routed"
        if receipt.config:
            yield f"{receipt.state:<9} {receipt.id}  {receipt.reason}".rstrip()
    for delivery in state.deliveries.values():
        if delivery.finished_at is not None:
            yield f"{delivery.state:<9} {delivery.id}  {delivery.route} → {delivery.sink}  {delivery.reason}".rstrip()
    for request in state.vendor_requests:
        yield f"received  #{request.seq} {format_vendor_request(request)}"


def format_summary(run: DemoRun, config: Config, sandbox_url: str) -> Iterator[str]:
    """Format what each sink received, in lines."""
    yield ""
    yield f"{len(run.sent)} hooks, all settled. What each sink received:"
    for name, sink in run.sinks.items():
        deliveries = [delivery for delivery in run.state.deliveries.values() if delivery.sink == name]
        states = sorted(Counter(delivery.state for delivery in deliveries).items())
        yield f"  {name} ({sink.type}): {', '.join(f'{count} {state}' for state, count in states) or 'nothing'}"
        for delivery in deliveries:
            title = run.titles.get(delivery.event_id.partition(".")[0], "a hook from outside")
            yield f"    {title} → {delivery.route}: {delivery.state} {delivery.reason}".rstrip()
        path = vendor_path(config.sinks[name], sandbox_url)
        for request in stored_requests(path, run.state.vendor_requests) if path else ():
            yield f"    received {format_vendor_request(request)}"
    yield "One of them waits for you: Problems leads to it, and Resend on its page mends it."
