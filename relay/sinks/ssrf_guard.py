"""Addresses that come from outside are not trusted: a subscriber must not make the relay call what only we can reach.

Three walls. `check_url` refuses what an address itself says: at subscribing, and again before every attempt. At every
connection the name is resolved once, each answer is checked, and the connection goes to the addresses that passed: a
name that answers otherwise a moment later changes nothing. Redirects are not followed (`relay.transport`).
"""

import asyncio
import errno
import re
import socket
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from yarl import URL

from relay.config.scalars import TrustedHost
from relay.transport import Session

PORTS = frozenset({80, 443, 8080, 8443})
"""Where web servers of applications are; any other may be a database. What is allowed by name may have any port."""

Lookup: TypeAlias = Callable[[str], Iterable[str]]
"""Gives the addresses of a name; may block; raises OSError."""

_LOOKUPS = 16  # at a time: a name whose servers hang keeps one busy until the system's resolver gives up
_UNWRITTEN = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")  # a last label like this makes a name an IPv4 address
_CONFUSING = re.compile(r"[\x00-\x20\x7f\\]")  # readers of addresses differ over them

_FORBIDDEN = [
    (ip_network(network), what)
    for what, networks in {
        # The first that fits is told, so the particular comes before the general.
        "a cloud's metadata service": "169.254.169.254/32 168.63.129.16/32 100.100.100.200/32 fd00:ec2::254/128",
        "unspecified": "0.0.0.0/8 ::/128",
        "loopback": "127.0.0.0/8 ::1/128",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10",
        "link-local": "169.254.0.0/16 fe80::/10",
        "a carrier's own (CGNAT)": "100.64.0.0/10",
        "multicast": "224.0.0.0/4 ff00::/8",
        "for documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        "for benchmarks": "198.18.0.0/15 2001:2::/48",
        "an IPv4 address in IPv6 clothes": "::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32",
        "reserved": "192.0.0.0/24 192.88.99.0/24 240.0.0.0/4 100::/64 2001::/23 5f00::/16",
    }.items()
    for network in networks.split()
]
_UNICAST = IPv6Network("2000::/3")  # all that is given out of IPv6


def url_refusal(url: str, allow: Collection[TrustedHost] = ()) -> str | None:
    """Return why a subscriber's address is refused, by what it says itself; None where nothing speaks against it.

    `allow` holds networks and names that the operator trusts. A name is not resolved here. Pure.
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
    return None if host in allow else _check_host(host, parsed.port, allow)


def _check_host(host: str, port: int | None, allow: Collection[TrustedHost]) -> str | None:
    if (address := _written_address(host)) is not None:
        if _trusted(address, allow):
            return None
        if reason := ip_refusal(address, allow):
            return reason
    elif "%" in host:
        return f"{host} is not a host name"
    elif _UNWRITTEN.match(host.rpartition(".")[2]):
        return f"{host} is an unusual form of an IPv4 address: write four decimal numbers"
    elif host == "localhost" or host.endswith(".localhost"):
        return f"{host} is loopback"
    if port not in PORTS:
        return f"port {port} is not possible, only {', '.join(map(str, sorted(PORTS)))}"
    return None


def ip_refusal(address: IPv4Address | IPv6Address, allow: Collection[TrustedHost] = ()) -> str | None:
    """Return why nothing may be sent to an address; None where it is public, or the operator trusts it. Pure."""
    if _trusted(address, allow):
        return None
    for network, what in _FORBIDDEN:
        if address in network:
            return f"{address} is {what}"
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return f"{address} is no public address"
    return None


def _trusted(address: IPv4Address | IPv6Address, allow: Collection[TrustedHost]) -> bool:
    return any(not isinstance(trusted, str) and address in trusted for trusted in allow)


def _written_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def look_up(name: str) -> list[str]:
    """Ask the system for the addresses of a name. Blocks. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


class CheckedResolver:
    """Resolve names to addresses that passed the check, and to no others.

    In threads of its own: those that the process shares must not wait for somebody's name servers.
    """

    def __init__(self, allow: Callable[[], Collection[TrustedHost]], look_up: Lookup = look_up) -> None:
        self._allow = allow
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="outside-names")

    async def resolve(self, host: str) -> list[str]:
        """Return the checked addresses of a name. Raises OSError, saying why none of its addresses may be called."""
        loop, allow = asyncio.get_running_loop(), self._allow()
        found = [ip_address(text) for text in await loop.run_in_executor(self._threads, self._look_up, host)]
        refused = {} if host.rstrip(".").lower() in allow else {a: ip_refusal(a, allow) for a in found}
        passed = [address for address in found if not refused.get(address)]
        if not passed:
            raise OSError(errno.EACCES, "; ".join(map(str, refused.values())) or "the name has no address")
        return list(map(str, passed))

    async def close(self) -> None:
        """Return the threads back."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def open_guarded_session(allow: Callable[[], Collection[TrustedHost]], look_up: Lookup = look_up) -> Session:
    """Open the session for addresses from outside. To be called inside the running loop, and closed there.

    A written IP address never comes to a resolver: `check_url` must have passed before.
    """
    return Session(CheckedResolver(allow, look_up))
