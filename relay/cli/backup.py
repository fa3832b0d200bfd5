"""`relay backup`: the store of `relay up`, in a file."""

from pathlib import Path
from typing import Annotated

import typer

from relay import timefmt
from relay.backup.make import make_backup
from relay.cli import options
from relay.cli.context.own_store import namespace_of_own_store
from relay.cli.display.output import print_json, print_message
from relay.processes.folder import UP_FOLDER


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file, where there is one.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Save the store of `relay up` to a file, while it runs or not. It has all in it that was acknowledged before."""
    made = make_backup(UP_FOLDER, file, namespace_of_own_store(), overwrite=force)
    size = file.stat().st_size
    if json:
        print_json({"file": str(file), "receipts": made.receipts, "made_at": made.made_at, "bytes": size})
    else:
        at = timefmt.format_time(made.made_at)
        print_message(f"{file}: {made.receipts} receipt(s) as of {at}, {size} bytes")
