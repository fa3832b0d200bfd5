"""Complete an explanation by what the account knows: the requests of routes with `fetch`."""

from msgspec.structs import replace

from relay.accounts.client import AccountClient
from relay.accounts.lookups import fetch_people
from relay.config.config import Config
from relay.model import Receipt
from relay.operations.answered_lookups import complete_requests, lookups_of
from relay.operations.explanation import Explanation
from relay.planning.lookups import what_to_fetch
from relay.sinks.registry import make_sinks


async def look_up_requests(
    client: AccountClient, explanation: Explanation, receipt: Receipt, config: Config
) -> Explanation:
    """Ask the account what the routes fetch, and return the explanation with the requests that this makes.

    Raises AccountRefused, AccountUnavailable, StoreUnavailable.
    """
    sinks = make_sinks(config)
    pending = lookups_of(explanation, receipt, config, sinks)
    leads, relations = what_to_fetch(pending)
    people = await fetch_people(client, leads, relations) if leads else {}
    return complete_requests(explanation, pending, people.get, sinks)


def leave_lookups_open(explanation: Explanation, why: str) -> Explanation:
    """Return an explanation that says why the account was not asked."""
    return explanation.with_changed(
        lambda _, delivery: replace(delivery, request=f"not shown: {why}") if delivery.needs_lookup else delivery
    )
