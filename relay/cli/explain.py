"""`relay explain`: what would become of a hook, route by route."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.completion import complete_sources
from relay.cli.context.account import with_account
from relay.cli.context.configuration import choose_source, load_config
from relay.cli.context.store import with_reader
from relay.cli.display.explanation import format_explanation
from relay.cli.display.output import print_json, print_lines
from relay.config.config import Config
from relay.errors import AccountRefused, AccountUnavailable, ConfigError, RelayError, StoreUnavailable
from relay.model import Receipt
from relay.operations.explained_lookups import leave_lookups_open, look_up_requests
from relay.operations.explanation import Explanation, explain_receipt, receipt_from_body
from relay.operations.once_use import check_once_keys, leave_once_keys_open
from relay.operations.people_events import add_names_of


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="BODY_FILE|EVENT_ID", help="A file with a hook's body, or an id in the store."),
    ],
    source: Annotated[
        str | None,
        typer.Option(help="The source of the file's hook; default: the only one.", autocompletion=complete_sources),
    ] = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Show for each route whether a hook matches, which condition fails, and what would be sent. Sends nothing.

    Where a store is at hand, it shows which `once` keys are used already, and asks the account what routes fetch.
    It leaves out what is applied when a text is about to be sent: cooldown, caps, window and stop list.
    """
    config = load_config()
    path, index = Path(what), ""
    if path.is_file():
        receipt = receipt_from_body(path.read_bytes(), choose_source(config.sources, source).name)
    else:
        receipt_id, _, index = what.partition(".")
        receipt = _read_receipt(receipt_id)
    add_names_of(receipt)
    explanation = _look_up(_check_once(explain_receipt(receipt, config, index or None)), receipt, config)
    if json:
        print_json(explanation, reveal=reveal)
    else:
        print_lines(format_explanation(explanation), reveal=reveal)


def _check_once(explanation: Explanation) -> Explanation:
    if not any(delivery.once for delivery in explanation.deliveries):
        return explanation
    try:
        return with_reader(lambda reader: check_once_keys(reader, explanation))
    except (ConfigError, StoreUnavailable) as error:
        return leave_once_keys_open(explanation, str(error))


def _look_up(explanation: Explanation, receipt: Receipt, config: Config) -> Explanation:
    if not any(delivery.needs_lookup for delivery in explanation.deliveries):
        return explanation
    account = config.sources[receipt.source]
    try:
        return with_account(account, lambda client, _: look_up_requests(client, explanation, receipt, config))
    except (ConfigError, StoreUnavailable, AccountRefused, AccountUnavailable) as error:
        return leave_lookups_open(explanation, f"the account was not asked: {error}")


def _read_receipt(id: str) -> Receipt:
    receipt = with_reader(lambda reader: reader.raw_receipt(id))
    if receipt is None:
        raise RelayError(f"{id} is neither a file nor an event or receipt in the store: give a path or a full id")
    return receipt
