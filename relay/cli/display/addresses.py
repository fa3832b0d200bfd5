"""Format the addresses of a relay on this machine."""

from collections.abc import Iterable, Iterator

from relay.config.config import Config
from relay.config.store_address import parse_store_address
from relay.operations.hook_address import hook_path
from relay.processes.supervisor import Processes


def format_real_addresses(addresses: Iterable[tuple[str, str]], store_url: str | None) -> str:
    """Format what this relay will call that is no fake, in a line. `store_url`: REDIS_URL, where it is set."""
    found = [f"{name} → {address}" for name, address in addresses]
    if store_url:
        store = parse_store_address(store_url)
        found.append(f"store → {store.scheme}://{store.server}")
    return (
        f"REAL addresses: {', '.join(found)}"
        if found
        else "no real address is called: the vendors are fakes, the store is this folder's"
    )


def format_addresses(processes: Processes, config: Config) -> Iterator[str]:
    """Format what a person can open and try, in lines."""
    yield f"pages: {processes.url}/admin"
    for source in config.sources:
        yield f"hooks of {source}: {processes.url}{hook_path(config, source)}"
    yield f"state: {processes.url}/readyz   numbers: {processes.url}/metrics"
    yield f"fake vendors: {processes.sandbox_url}, what they received: {processes.sandbox_url}/__sandbox__/requests"
    yield f"logs: {processes.folder / 'logs'}"
