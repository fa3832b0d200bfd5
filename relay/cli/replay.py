"""`relay replay`: route stored hooks again, by today's configuration."""

from typing import Annotated

import typer

from relay.cli import bulk, options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_routes, complete_sinks
from relay.cli.context.configuration import load_config
from relay.cli.context.store import with_store_and_reader
from relay.cli.display.output import print_json, print_lines, print_message
from relay.cli.display.replay import format_done, format_planned
from relay.config.config import Config
from relay.operations.actions import DEFAULT_RATE, ActionKind, ActionRequest
from relay.operations.replay import Replay, ReplayLimits
from relay.operations.replaying import NOTHING, ReplayCount, count_planned, write_replay
from relay.store.acts import Author
from relay.store.reader import Reader
from relay.store.store import Store


def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENT_ID…]", help="These events or whole receipts; or what the options find."),
    ] = None,
    every: bulk.AllOption = False,
    source: options.SourceOption = None,
    event: options.EventOption = None,
    entity: options.EntityOption = None,
    phone: options.PhoneOption = None,
    email: options.EmailOption = None,
    state: options.ReceiptStateOption = None,
    reason: options.ReasonOption = None,
    text: options.TextOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    route: Annotated[
        str | None, typer.Option(help="Make only deliveries of this route.", autocompletion=complete_routes)
    ] = None,
    sink: Annotated[
        str | None, typer.Option(help="Make only deliveries to this sink.", autocompletion=complete_sinks)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Deliver once more what was delivered or cancelled, under a new key.")
    ] = False,
    dry_run: bulk.DryRunOption = False,
    yes: bulk.YesOption = False,
    wait: bulk.WaitOption = False,
    rate: bulk.RateOption = DEFAULT_RATE,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Route stored hooks again, by today's configuration: what succeeded is left alone. Safe to repeat."""
    filters = options.event_filter(
        source=source, event=event, entity=entity, sink=None, route=None, state=state, reason=reason, since=since,
        until=until, limit=1, after=None, phone=phone, email=email, text=text,
    )  # fmt: skip
    narrowed = filters != options.no_filter(state=None) or bool(route or sink)
    bulk.check_choice(
        ids, every=every or (not ids and narrowed), narrowed=bool(ids) and narrowed and not (route or sink)
    )
    config = load_config()
    options.check_name("--route", route, [one.name for one in config.routes])
    options.check_name("--sink", sink, config.sinks)
    how = bulk.BulkOptions(dry_run=dry_run, sure=yes or narrowed, ask=not yes, wait=wait, json=json)
    if not ids:
        request = ActionRequest(
            kind=ActionKind.REPLAY, filter=filters, route=route or "", sink=sink or "", force=force, rate=rate
        )
        bulk.run_request(request, author(by, why), how, config)
        return
    _replay_ids(ids, config, ReplayLimits(route=route or "", sink=sink or "", force=force), author(by, why), how)


def _replay_ids(ids: list[str], config: Config, limits: ReplayLimits, by: Author, how: bulk.BulkOptions) -> None:
    async def run(store: Store, reader: Reader) -> tuple[ReplayCount, ReplayCount | None]:
        return await _replay(store, Replay(reader, config, limits), ids, by, how, force=limits.force)

    planned, done = with_store_and_reader(run)
    if how.json:
        print_json({"planned": planned, "done": done})
    elif done is not None:
        print_lines(format_done(done))
    elif how.dry_run:
        print_message("nothing was written: --dry-run")


async def _replay(
    store: Store, replay: Replay, ids: list[str], by: Author, how: bulk.BulkOptions, *, force: bool
) -> tuple[ReplayCount, ReplayCount | None]:
    """Replay a few at once. Returns what would come of it, and what came of it, where it was done."""
    receipts = await replay.plan(ids)
    planned = count_planned(receipts)
    if not how.json:
        print_lines(format_planned(planned))
    if how.dry_run or not planned.writes or (how.ask and not bulk.confirmed()):
        return planned, None
    done = NOTHING
    for one in receipts:
        done = done.plus(await write_replay(store, replay.config, one, by, force=force))
    return planned, done
