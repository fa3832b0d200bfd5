"""`relay capacity`: how many processes, and how large a store, a load needs."""

from collections.abc import Iterator
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.configuration import load_config
from relay.cli.display.output import print_json, print_lines
from relay.operations.bench_figures import DELIVERIES_A_SECOND, HOOKS_A_SECOND
from relay.operations.capacity import PEAK, USED, Capacity, plan_capacity


def capacity(
    hooks: Annotated[int, typer.Argument(min=1, help="Hooks a day.", metavar="HOOKS_A_DAY")],
    deliveries: Annotated[float, typer.Option(min=0, help="Deliveries that come of a hook, on average.")] = 1.0,
    json: options.JsonOption = False,
) -> None:
    """Say how many web processes, workers and stores so many hooks a day need, by what was measured."""
    planned = plan_capacity(hooks, deliveries, load_config())
    if json:
        print_json(planned)
    else:
        print_lines(_lines(planned, hooks * deliveries))


def _lines(planned: Capacity, deliveries_a_day: float) -> Iterator[str]:
    yield (
        f"the busiest second, taken for {PEAK} times the average: {planned.hooks_a_second:,.1f} hooks, "
        f"{planned.deliveries_a_second:,.1f} deliveries"
    )
    yield f"web: {planned.web} (one takes {HOOKS_A_SECOND:,} a second on a core of its own; {USED:.0%} is planned for)"
    yield f"workers: {planned.workers} (one makes {DELIVERIES_A_SECOND:,} a second, likewise, where sinks answer fast)"
    yield f"stores: {planned.stores}, maxmemory of {'each' if planned.stores > 1 else 'it'} {_mb(planned.store_bytes)}:"
    yield f"  {_mb(planned.finished_bytes)} for {planned.finished:,} finished receipts, which `retention` keeps"
    yield f"  {_mb(planned.waiting_bytes)} for what waits when every sink is down for a day"
    for name, a_day in planned.sinks.items():
        enough = "" if a_day >= deliveries_a_day else ": too few, if all deliveries are its"
        yield f"sink {name}: its rate lets {a_day:,} a day leave{enough}"


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
