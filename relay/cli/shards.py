"""`relay shards`: the stores of which a relay on a cluster is made."""

from typing import Annotated

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_sources
from relay.cli.context.environment import load_settings
from relay.cli.context.store import with_shards
from relay.cli.display.output import print_done, print_json, print_lines
from relay.config.store_address import is_cluster
from relay.errors import ConfigError
from relay.operations.shards import ListedShard, add_shard, list_shards, move_source

app = typer.Typer(
    name="shards", help="Show the shards of a store on a cluster, add one, move sources.", no_args_is_help=True
)


@app.command("list")
def list_all(json: options.JsonOption = False) -> None:
    """List the shards, the sources of each, and how full it is; one that is away is named."""
    shards = with_shards(list_shards)
    if json:
        print_json(shards)
    else:
        print_lines(line for one in shards for line in _lines(one))
    if any(one.away for one in shards):
        raise typer.Exit(2)


def _lines(shard: ListedShard) -> list[str]:
    if shard.away:
        state = f"away: {shard.away}"
    else:
        limit = f" of {shard.limit / 2**20:.0f}" if shard.limit else ""
        state = f"{(shard.used or 0) / 2**20:.0f}{limit} MiB used on its node, {shard.waiting} hooks wait for routing"
    sources = ", ".join(f"{name} (on its way)" if name in shard.moving else name for name in shard.sources)
    return [f"{shard.name}  {state}", f"    {sources or 'no source'}"]


@app.command("add")
def add(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Two digits; the next free by default.")] = None,
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Add a shard: a part of sources that are new becomes its own. Safe to repeat where it was cut off."""
    settings = load_settings()
    if settings.redis_url is not None and not is_cluster(settings.redis_url):
        raise ConfigError(_NO_CLUSTER)
    added = with_shards(lambda shards: add_shard(shards, name, author(by, why)))
    print_done(f"{added}: added; sources that are new are shared out among all shards from now on", json=json)


@app.command("move")
def move(
    source: Annotated[str, typer.Argument(help="The source.", autocompletion=complete_sources)],
    shard: Annotated[str, typer.Argument(help="Whereto; where it is on its way from, to leave it there.")],
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Move a source to another shard, where nothing of it is under way. Its hooks get 503 meanwhile.

    Safe to repeat: where it was cut off, it goes on.
    """
    moved = with_shards(lambda shards: move_source(shards, source, shard, author(by, why)))
    if not moved.moved:
        print_done(f"{source} is in {shard}, and taken there", json=json)
        return
    print_done(
        f"{source} is in {shard} now, with {moved.subscriptions} subscriptions and {moved.identities} identities of "
        "what was sent once; what is finished stays where it is",
        json=json,
    )


_NO_CLUSTER = (
    "REDIS_URL is one server, where a further shard would change nothing: shards are for redis+cluster://host:6379, "
    "whose nodes share them"
)
