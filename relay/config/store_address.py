"""Make one address of the store mean the same to redis-py (the store) and to kombu (Celery's broker).

`rediss://` verifies the certificate. A self-signed one (Heroku's) is accepted by `?ssl_cert_reqs=none` in the address,
or for all addresses by `RELAY_REDIS_TLS=insecure`. The two libraries spell this differently, and kombu lets the
address override its settings and fails on parameters that it does not know. So each gets its own spelling.
"""

import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from relay.errors import ConfigError

_VERIFY_MODES: Final[Mapping[str, ssl.VerifyMode]] = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


def redis_options(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address and the keyword arguments for redis-py's `from_url`. Raises ConfigError."""
    address, tls = _split(url)
    if not address.startswith("rediss:"):
        return url, {}
    return address, {**tls, "ssl_cert_reqs": _verify_mode(tls)}


def broker_options(url: str) -> tuple[str, dict[str, Any]]:
    """Return Celery's `broker_url` and the settings that go with it. Raises ConfigError."""
    address, tls = _split(url)
    parts = urlsplit(address)
    database = dict(parse_qsl(parts.query)).get("db")
    if parts.scheme == "unix":
        return f"redis+socket://{parts.path}?virtual_host={database or 0}", {}
    path = f"/{database}" if database else parts.path
    broker = urlunsplit(parts._replace(path=path, query=""))
    if parts.scheme != "rediss":
        return broker, {}
    return broker, {"broker_use_ssl": {**tls, "ssl_cert_reqs": _VERIFY_MODES[_verify_mode(tls)]}}


def accept_any_certificate(url: str) -> str:
    """Return an address with the parameter that its certificate is not verified, unless it has that parameter."""
    address, tls = _split(url)
    if not address.startswith("rediss:") or "ssl_cert_reqs" in tls:
        return url
    return url + ("&" if urlsplit(url).query else "?") + "ssl_cert_reqs=none"


def _split(url: str) -> tuple[str, dict[str, Any]]:
    """Return an address without its ssl_… parameters, and these."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    tls: dict[str, Any] = {name: value for name, value in query if name.startswith("ssl_")}
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() not in {"false", "no", "0"}
    rest = urlencode([(name, value) for name, value in query if not name.startswith("ssl_")])
    return urlunsplit(parts._replace(query=rest)), tls


def _verify_mode(tls: Mapping[str, Any]) -> str:
    mode = str(tls.get("ssl_cert_reqs", "required")).lower().removeprefix("cert_")  # CERT_NONE is Celery's spelling
    if mode not in _VERIFY_MODES:
        raise ConfigError(f"ssl_cert_reqs={mode} in the store's address: none, optional or required")
    return mode
