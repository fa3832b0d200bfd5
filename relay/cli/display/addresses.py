"""Format the addresses of a relay on this machine."""

from collections.abc import Iterator

from relay.config.config import Config
from relay.operations.hook_address import hook_path
from relay.processes.supervisor import Processes


def format_addresses(processes: Processes, config: Config) -> Iterator[str]:
    """Format what a person can open and try, in lines."""
    for source in config.sources:
        yield f"hooks of {source}: {processes.url}{hook_path(config, source)}"
    yield f"state: {processes.url}/readyz   numbers: {processes.url}/metrics"
    yield f"fake vendors: {processes.sandbox_url}, what they received: {processes.sandbox_url}/__sandbox__/requests"
    yield f"logs: {processes.folder / 'logs'}"
