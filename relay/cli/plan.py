"""`relay plan`: what a new configuration would have done with the stored hooks."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.configuration import load_config
from relay.cli.context.environment import command_environ
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines
from relay.cli.display.plan import format_plan
from relay.config.config import Config
from relay.config.load import load_file
from relay.errors import RelayError
from relay.operations.people_events import add_names_of
from relay.operations.route_plan import MOST_HOOKS, PlannedSpan, RoutePlan, plan_routes
from relay.sinks.registry import sink_types
from relay.store.reader import Reader

DEFAULT_LAST = 10_000


def plan(
    new: Annotated[Path, typer.Argument(metavar="NEW.yaml", help="The configuration file that is to be put in force.")],
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What it is compared with; default: what is in force.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, max=MOST_HOOKS, help=f"The last so many hooks; default: {DEFAULT_LAST}.")
    ] = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    source: options.SourceOption = None,
    max_extra: Annotated[
        int | None, typer.Option(min=0, help="End with 1 where more deliveries than this would be sent in addition.")
    ] = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Say what a new configuration would have done with the stored hooks, route by route. Writes and sends nothing.

    Each hook is planned by both configurations, as if they had been in force when it arrived.
    """
    after = _load(new)
    before = load_config() if against is None else _load(against)
    options.check_name("--source", source, {**before.sources, **after.sources})
    span = PlannedSpan(
        last=last or (None if since or until else DEFAULT_LAST),
        since=None if since is None else options.parse_time(since, "--since"),
        until=None if until is None else options.parse_time(until, "--until"),
        source=source or "",
    )

    async def run(reader: Reader) -> RoutePlan:
        planned = await plan_routes(reader, before, after, span)
        for event in [id for route in planned.routes for id in route.changed_of]:
            if (receipt := await reader.raw_receipt(event.partition(".")[0])) is not None:
                add_names_of(receipt)  # of those whose differences are shown
        return planned

    planned = with_reader(run)
    if json:
        print_json(planned, reveal=reveal)
    else:
        print_lines(format_plan(planned), reveal=reveal)
    if max_extra is not None and planned.more > max_extra:
        raise RelayError(f"{planned.more} deliveries more than before, and --max-extra allows {max_extra}")


def _load(path: Path) -> Config:
    return load_file(str(path), environ=command_environ(), sink_types=sink_types())
