"""Whose store it is: one that serves another relay's sources is not to be mixed up with this one's."""

from collections.abc import Set

from relay.config.store_address import parse_store_address
from relay.errors import ConfigError
from relay.store.store import Store


async def claim_store(store: Store, address: str, sources: Set[str], *, take_over: bool) -> None:
    """Store the names of this relay's sources; refuse a store that knows others, and none of them.

    A new version of a file has at least one name in common with the old one. Raises ConfigError, StoreUnavailable.
    """
    known = await store.registered_sources()
    if known and known.isdisjoint(sources) and not take_over:
        parsed = parse_store_address(address)
        raise ConfigError(
            f"the store {parsed.scheme}://{parsed.server} is another relay's, under RELAY_NAMESPACE={store.namespace}: "
            f"it knows {', '.join(sorted(known))}, and the file has only {', '.join(sorted(sources))}. "
            "Use another store or RELAY_NAMESPACE; or --take-over, once, where these sources replace those"
        )
    await store.register_sources(sources)
