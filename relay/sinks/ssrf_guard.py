"""Protection against server-side request forgery: a subscriber's URL must not reach the relay's own network.

1. `url_refusal` checks the URL itself, when it is subscribed and before every attempt.
2. `check_addresses` checks the addresses of a name before every connection, also those of an answer that was kept, and
   the connection goes to the checked addresses only: it does not help to let the name resolve to another one later.
3. A proxy is asked for one of the checked addresses, never for the name. TLS still verifies the name.
4. Redirects are not followed (`relay.transport`).
"""

import re
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from yarl import URL

from relay.config.proxy_environment import NO_PROXIES, ProxyRules
from relay.config.scalars import TrustedHost
from relay.transport import Resolver, Session
from relay.transport.addresses import literal_address

PORTS = frozenset({80, 443, 8080, 8443})
"""Ports of web servers; any other may be a database. A host that `allow` names may have any port."""

_NUMERIC_LABEL = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")  # as the last one it makes a name an IPv4 address
_CONFUSING = re.compile(r"[\x00-\x20\x7f\\]")  # URL parsers disagree about them

_FORBIDDEN = [
    (ip_network(network), what)
    for what, networks in {
        # The first match is reported, so particular networks come before general ones.
        "a cloud's metadata service": "169.254.169.254/32 168.63.129.16/32 100.100.100.200/32 fd00:ec2::254/128",
        "unspecified": "0.0.0.0/8 ::/128",
        "loopback": "127.0.0.0/8 ::1/128",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10",
        "link-local": "169.254.0.0/16 fe80::/10",
        "a carrier's own (CGNAT)": "100.64.0.0/10",
        "multicast": "224.0.0.0/4 ff00::/8",
        "for documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        "for benchmarks": "198.18.0.0/15 2001:2::/48",
        "an IPv4 address within IPv6": "::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32",
        "reserved": "192.0.0.0/24 192.88.99.0/24 240.0.0.0/4 100::/64 2001::/23 5f00::/16",
    }.items()
    for network in networks.split()
]
_PUBLIC_IPV6 = IPv6Network("2000::/3")  # all that is assigned so far


def url_refusal(url: str, allow: Collection[TrustedHost] = ()) -> str | None:
    """Return why a subscriber's URL is refused; None where it is allowed. Pure: a name is not resolved.

    `allow` holds networks and host names that the operator trusts.
    """
    if _CONFUSING.search(url):
        return "it has spaces, control characters or backslashes"
    try:
        parsed, authority = URL(url), urlsplit(url).netloc
    except ValueError as error:
        return f"it cannot be read: {error}"
    if parsed.scheme not in ("http", "https"):
        return "only http:// and https:// are possible"
    if not parsed.raw_host:
        return "it names no host"
    if "@" in authority:
        return "a name or password in it is not possible"
    host = parsed.raw_host.rstrip(".").lower()
    return None if host in allow else _host_refusal(host, parsed.port, allow)


def _host_refusal(host: str, port: int | None, allow: Collection[TrustedHost]) -> str | None:
    if (address := literal_address(host)) is not None:
        if _trusted(address, allow):
            return None
        if reason := ip_refusal(address, allow):
            return reason
    elif "%" in host:
        return f"{host} is not a host name"
    elif _NUMERIC_LABEL.match(host.rpartition(".")[2]):
        return f"{host} is an unusual form of an IPv4 address: write four decimal numbers"
    elif host == "localhost" or host.endswith(".localhost"):
        return f"{host} is loopback"
    if port not in PORTS:
        return f"port {port} is not possible, only {', '.join(map(str, sorted(PORTS)))}"
    return None


def ip_refusal(address: IPv4Address | IPv6Address, allow: Collection[TrustedHost] = ()) -> str | None:
    """Return why nothing may be sent to an IP address; None where it is public or in `allow`. Pure."""
    if _trusted(address, allow):
        return None
    for network, what in _FORBIDDEN:
        if address in network:
            return f"{address} is {what}"
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return f"{address} is no public address"
    return None


def _trusted(address: IPv4Address | IPv6Address, allow: Collection[TrustedHost]) -> bool:
    return any(not isinstance(trusted, str) and address in trusted for trusted in allow)


def check_addresses(host: str, addresses: Sequence[str], allow: Collection[TrustedHost] = ()) -> list[str]:
    """Return the addresses of a name that may be called. Raises OSError, saying why none may be. Pure."""
    if host.rstrip(".").lower() in allow:
        return list(addresses)
    refused = {address: ip_refusal(ip_address(address), allow) for address in addresses}
    allowed = [address for address, refusal in refused.items() if not refusal]
    if not allowed:
        raise OSError("; ".join(filter(None, refused.values())))
    return allowed


def open_guarded_session(
    allow: Callable[[], Collection[TrustedHost]],
    resolver: Resolver | None = None,
    proxies: ProxyRules = NO_PROXIES,
) -> Session:
    """Open a session for subscribers' URLs. Open and close it inside the running loop.

    A literal IP address is never resolved, so each URL must have passed `url_refusal` before.
    """
    return Session(resolver, lambda host, addresses: check_addresses(host, addresses, allow()), proxies)
