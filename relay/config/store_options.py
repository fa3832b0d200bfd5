"""What redis-py is told of the store's address: its own spelling, and where Sentinels or a cluster are asked."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from relay.config.store_address import (
    SENTINEL_PARAMETERS,
    STORE_PARAMETERS,
    StoreAddress,
    read_store_address,
    verify_mode,
)


def redis_options(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address and the keyword arguments for redis-py's `from_url`. Raises ConfigError.

    With Sentinels, or a cluster, its host is the store's name: who connects asks for the true one (`sentinel_options`,
    `cluster_options`).
    """
    address = read_store_address(url)
    parameters = {name: address.parameters[name] for name in STORE_PARAMETERS if name in address.parameters}
    path = f"/{address.database}" if address.database else ""
    if address.scheme == "unix":
        path = ""
        parameters |= {"db": address.database} if address.database else {}
    query = f"?{urlencode(parameters)}" if parameters else ""
    scheme, server = address.scheme.partition("+")[0], address.name or address.server
    url = f"{scheme}://{address.userinfo}{server}{path}{query}"
    return url, {**address.tls, "ssl_cert_reqs": verify_mode(address.tls)} if address.encrypted else {}


def sentinel_options(url: str) -> tuple[str, Sequence[tuple[str, int]], dict[str, Any]] | None:
    """Return the store's name, the Sentinels to ask for it, and what a connection to them needs; None without any."""
    address = read_store_address(url)
    if not address.sentinels:
        return None
    return address.name, _hosts(address.sentinels), sentinel_connection(address)


def cluster_options(url: str) -> tuple[str, Sequence[tuple[str, int]]] | None:
    """Return the namespace whose slot the store is, and nodes to ask where that slot is; None without a cluster."""
    address = read_store_address(url)
    return (address.name, _hosts(address.nodes)) if address.nodes else None


def _hosts(servers: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return servers as one connects to them: brackets are of addresses."""
    return [(host.strip("[]"), port) for host, port in servers]


def sentinel_connection(address: StoreAddress) -> dict[str, Any]:
    """Return what a connection to a Sentinel needs. TLS is as to the store."""
    tls = {**address.tls, "ssl": True, "ssl_cert_reqs": verify_mode(address.tls)} if address.encrypted else {}
    users = {
        name.removeprefix("sentinel_"): address.parameters[name]
        for name in SENTINEL_PARAMETERS
        if name in address.parameters
    }
    return {**users, **tls}
