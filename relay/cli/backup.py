"""`relay backup` and `relay restore`: the store of `relay up`, in a file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from relay import timefmt
from relay.backup.make import make_backup
from relay.backup.restore import restore_backup
from relay.cli.context import nonempty_environ
from relay.config.environment import ProcessSettings
from relay.errors import ConfigError
from relay.processes.folder import UP_FOLDER


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file, where there is one.")] = False,
) -> None:
    """Save the store of `relay up` to a file, while it runs or not. It has all in it that was acknowledged before."""
    made = make_backup(UP_FOLDER, file, _namespace(), overwrite=force)
    typer.echo(f"{file}: {made.receipts} receipt(s) as of {timefmt.format_time(made.made_at)}, {made.size} bytes")


def restore(file: Annotated[Path, typer.Argument(help="What `relay backup` has written.", metavar="FILE")]) -> None:
    """Make the store of `relay up` from a backup, in a folder that has none."""
    os.umask(0o077)
    made, receipts = restore_backup(file, UP_FOLDER, _namespace())
    at = timefmt.format_time(made.made_at)
    typer.echo(f"{UP_FOLDER}: {receipts} receipt(s) as of {at}; `relay up` goes on with them")


def _namespace() -> str:
    settings = ProcessSettings.from_environ(nonempty_environ())
    if settings.redis_url is not None:
        raise ConfigError("REDIS_URL names a store of your own: save it as its maker says. This is for `relay up`'s")
    return settings.namespace
