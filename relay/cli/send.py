"""`relay send`: post a body to a running relay, as amoCRM would."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context import config, settings
from relay.cli.output import print_json
from relay.cli.posting import post
from relay.cli.sources import hook_path, source_of


def send(
    body_file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The body, as it would arrive.")],
    source: Annotated[str | None, typer.Option(help="As which source's hook; default: the only one.")] = None,
    url: Annotated[str | None, typer.Option(help="The relay's address; default: this machine, at PORT.")] = None,
    json: options.Json = False,
) -> None:
    """Post a body to a running relay and print the receipt."""
    found = config()
    base = (url or f"http://127.0.0.1:{settings().port}").rstrip("/")
    posted = asyncio.run(post(base + hook_path(found, source_of(found, source)), body_file.read_bytes()))
    if json:
        print_json(posted)
    else:
        typer.echo(f"receipt {posted.receipt}{' (a duplicate of it: not routed again)' if posted.duplicate else ''}")
