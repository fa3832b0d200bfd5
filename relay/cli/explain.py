"""`relay explain`: what would become of a hook, route by route."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context import choose_source, load_config, with_reader
from relay.cli.display.explanation import format_explanation
from relay.cli.display.output import print_json, print_lines
from relay.errors import RelayError
from relay.model import Receipt
from relay.operations.explanation import explain_receipt, receipt_from_body


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="BODY_FILE|EVENT_ID", help="A file with a hook's body, or an id in the store."),
    ],
    source: Annotated[str | None, typer.Option(help="The source of the file's hook; default: the only one.")] = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Show for each route whether a hook matches, which condition fails, and what would be sent. Sends nothing."""
    config = load_config()
    path = Path(what)
    if path.is_file():
        receipt = receipt_from_body(path.read_bytes(), choose_source(config.sources, source).name)
        explanation = explain_receipt(receipt, config, None)
    else:
        receipt_id, _, index = what.partition(".")
        explanation = explain_receipt(_read_receipt(receipt_id), config, index or None)
    if json:
        print_json(explanation, reveal=reveal)
    else:
        print_lines(format_explanation(explanation), reveal=reveal)


def _read_receipt(id: str) -> Receipt:
    receipt = with_reader(lambda reader: reader.raw_receipt(id))
    if receipt is None:
        raise RelayError(f"{id} is neither a file nor an event or receipt in the store: give a path or a full id")
    return receipt
