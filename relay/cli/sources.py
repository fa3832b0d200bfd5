"""`relay sources`: how the accounts stand that send to us."""

from collections.abc import Iterator
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.completion import complete_sources
from relay.cli.context.configuration import load_config
from relay.cli.context.environment import load_settings
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines, print_table
from relay.operations.sources import SourceStatus, list_sources, read_source
from relay.timefmt import format_duration, format_time

app = typer.Typer(
    name="sources", help="Show how the sources stand: last hook, rhythm, and their hook in the account.",
    no_args_is_help=True,
)  # fmt: skip
COLUMNS = ("source", "account", "hooks", "last hook", "usual pause", "hook", "problem")


@app.command("list")
def list_all(json: options.JsonOption = False) -> None:
    """List the sources of the configuration."""
    config, settings = load_config(), load_settings()
    sources = with_reader(lambda reader: list_sources(reader, config, settings))
    if json:
        print_json(sources)
    else:
        print_table(COLUMNS, map(_row, sources))


@app.command("show")
def show_source(
    name: Annotated[str, typer.Argument(metavar="SOURCE", show_default=False, autocompletion=complete_sources)],
    json: options.JsonOption = False,
) -> None:
    """Show a source, and which events its hook lacks."""
    config, settings = load_config(), load_settings()
    source = with_reader(lambda reader: read_source(reader, config, name, settings))
    if json:
        print_json(source)
    else:
        print_lines(_lines(source))


def _row(source: SourceStatus) -> tuple[object, ...]:
    pause = None if source.rhythm_ms is None else format_duration(source.rhythm_ms)
    problem = "silent" if source.silent else source.problem
    return source.name, source.account, source.received, format_time(source.last_hook_at), pause, source.hook, problem


def _lines(source: SourceStatus) -> Iterator[str]:
    yield f"{source.name}: {source.received} hook(s), the last {format_time(source.last_hook_at) or 'never'}"
    if source.rhythm_ms is not None and source.patience_ms is not None:
        usual, most = format_duration(source.rhythm_ms), format_duration(source.patience_ms)
        yield f"  usual pause {usual}, silent after {most}" + (": it is silent" if source.silent else "")
    yield f"  hook in the account: {source.hook}" + (f" ({source.problem})" if source.problem else "")
    end = f", until {format_time(source.token_ends_at)}" if source.token_ends_at is not None else ""
    yield f"  token of its api: {source.token or 'it has no api'}{end}"
    if source.refresh_ends_at is not None:
        access, refresh = format_time(source.access_ends_at), format_time(source.refresh_ends_at)
        yield f"  renewed by itself when it ends ({access}); not renewed until {refresh} it must be authorised again"
    if source.caught_up is not None:
        span = f"{format_time(source.caught_up.since)} to {format_time(source.caught_up.until)}"
        state = "" if source.caught_up.done else "; it is not at its end"
        yield f"  caught up: {span}: {source.caught_up.recovered} recovered, {source.caught_up.gone} gone{state}"
    yield f"  names: {format_time(source.names_at) or f'none, `relay names {source.name}` writes them'}"
    if source.compared_at is not None:
        drifts = f"{source.drifts} thing(s) drifted, `relay problems list` tells them" if source.drifts else "as needed"
        yield f"  compared with the account: {format_time(source.compared_at)}: {drifts}"
    if source.not_compared:
        yield f"  could not be compared when it was last tried: {source.not_compared}"
    yield f"  events needed: {' '.join(source.needed) or 'none'}"
    if source.missing:
        yield f"  not registered: {' '.join(source.missing)}: `relay connect {source.name}` registers them"
