"""The proxies that the environment names: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, read as curl reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from relay.config.proxy import Proxy, parse_proxy


@dataclass(frozen=True)
class ProxyRules:
    """The proxies of the environment, by the scheme of what is called, and what is called without them."""

    http: Proxy | None = None
    https: Proxy | None = None
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY as curl does: a name in small letters goes first.

        Raises ValueError, whose message names the variable and shows no credentials.
        """
        exceptions = _value(environ, "no_proxy")[1].lower().replace(",", " ").split()
        if "*" in exceptions:
            return cls()
        return cls(_proxy(environ, "http_proxy"), _proxy(environ, "https_proxy"), tuple(exceptions))

    def choose(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for a call, None for a direct one."""
        proxy = self.http if scheme == "http" else self.https
        if proxy is None or any(_covers(exception, host.rstrip(".").lower(), port) for exception in self.exceptions):
            return None
        return proxy


NO_PROXIES = ProxyRules()


def _value(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return the first of these variables that is set, and its value."""
    for name in names:
        for written in (name, name.upper()):
            if value := environ.get(written, "").strip():
                return written, value
    return "", ""


def _proxy(environ: Mapping[str, str], name: str) -> Proxy | None:
    variable, value = _value(environ, name, "all_proxy")
    try:
        return parse_proxy(value) if value else None
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from None


def _covers(exception: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY is for a host: its name or a domain above it, its address or network."""
    name, _, its_port = exception.rpartition(":")
    if name and its_port.isdigit() and (":" not in name or name.startswith("[")):
        if int(its_port) != port:
            return False
        exception = name
    exception = exception.strip("[]")
    if (address := _ip_address(host)) is not None:
        network = _ip_network(exception)
        return network is not None and address in network
    domain = exception.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _ip_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _ip_network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
