"""Who sends a request, as far as a limit must know. uvicorn has read a trusted proxy's headers by then."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import HTTPConnection

_IPV6_PREFIX: Final = 64  # what one customer has at least: within it every request may come from another address


def peer_name(request: HTTPConnection) -> str:
    """Return the address that a request comes from; of IPv6 its network of 64 bits. Empty where it has none."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _IPV6_PREFIX), strict=False))
