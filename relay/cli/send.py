"""`relay send`: post a body to a running relay, as amoCRM would."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.completion import complete_sources
from relay.cli.context.configuration import choose_source, load_config
from relay.cli.context.environment import load_settings
from relay.cli.display.output import print_json, print_message
from relay.config.proxy_environment import NO_PROXIES
from relay.operations.hook_address import hook_path
from relay.operations.post_hook import post_hook


def send(
    body_file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file with the body of a hook.")],
    source: Annotated[
        str | None, typer.Option(help="The source of the hook; default: the only one.", autocompletion=complete_sources)
    ] = None,
    url: Annotated[str | None, typer.Option(help="The relay's address; default: this machine, at PORT.")] = None,
    json: options.JsonOption = False,
) -> None:
    """Post the body of a hook to a running relay, as amoCRM would, and print its receipt."""
    config = load_config()
    path = hook_path(config, choose_source(config.sources, source).name)
    settings = load_settings()
    base = (url or f"http://127.0.0.1:{settings.port}").rstrip("/")
    proxies = settings.proxies if url else NO_PROXIES  # to this machine none has a way
    accepted = asyncio.run(post_hook(base + path, body_file.read_bytes(), proxies=proxies))
    if json:
        print_json(accepted)
    else:
        duplicate = " (a duplicate of it: not routed again)" if accepted.duplicate else ""
        print_message(f"receipt {accepted.receipt}{duplicate}")
