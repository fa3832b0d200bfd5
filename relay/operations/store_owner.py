"""Whether a process may work on a store: not on another relay's, nor on one that a newer release has written."""

from collections.abc import Set

from relay.config.store_address import parse_store_address
from relay.errors import ConfigError
from relay.store.formats import check_format
from relay.store.health import read_durability, read_life
from relay.store.store import Store


async def claim_store(
    store: Store, address: str, sources: Set[str], *, take_over: bool = False, strict: bool = False
) -> None:
    """Store the names of this relay's sources and the format that it writes; refuse a store that will not do.

    `take_over`: it may know other sources, and none of these; else a new version of a file has at least one name in
    common with the old one. `strict`: it must not lose what it confirmed. Raises ConfigError, StoreUnavailable.
    """
    check_format((await read_life(store.client, store.keys.life)).format)
    known = await store.registry.sources()
    if known and known.isdisjoint(sources) and not take_over:
        parsed = parse_store_address(address)
        raise ConfigError(
            f"the store {parsed.scheme}://{parsed.server} is another relay's, under RELAY_NAMESPACE={store.namespace}: "
            f"it knows {', '.join(sorted(known))}, and the file has only {', '.join(sorted(sources))}. "
            "Use another store or RELAY_NAMESPACE; or --take-over, once, where these sources replace those"
        )
    if strict and (weakness := (await read_durability(store.client, store.keys.probe)).weakness):
        raise ConfigError(f"RELAY_DURABILITY=strict: {weakness}")
    await store.registry.add_sources(sources)
