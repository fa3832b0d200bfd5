"""`relay restore`: the store of `relay up`, made from a backup."""

import os
from pathlib import Path
from typing import Annotated

import typer

from relay import timefmt
from relay.backup.restore import restore_backup
from relay.cli import options
from relay.cli.context.own_store import namespace_of_own_store
from relay.cli.display.output import print_json, print_message
from relay.processes.folder import UP_FOLDER


def restore(
    file: Annotated[Path, typer.Argument(help="What `relay backup` has written.", metavar="FILE")],
    json: options.JsonOption = False,
) -> None:
    """Make the store of `relay up` from a backup, in a folder that has none."""
    os.umask(0o077)
    made, receipts = restore_backup(file, UP_FOLDER, namespace_of_own_store())
    if json:
        print_json({"folder": str(UP_FOLDER), "receipts": receipts, "made_at": made.made_at})
    else:
        at = timefmt.format_time(made.made_at)
        print_message(f"{UP_FOLDER}: {receipts} receipt(s) as of {at}; `relay up` goes on with them")
