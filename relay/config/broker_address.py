"""The address of Celery's broker: a server as the store's, or RabbitMQ."""

import re
import ssl
from typing import Any
from urllib.parse import urlsplit

from relay.config.store_address import VERIFY_MODES, read_store_address, verify_mode
from relay.config.store_options import sentinel_connection
from relay.errors import ConfigError


def broker_options(url: str) -> tuple[str, dict[str, Any]]:
    """Return Celery's `broker_url` and the settings that go with it. Raises ConfigError."""
    if is_amqp(url):
        return url, {"broker_use_ssl": {"cert_reqs": ssl.CERT_REQUIRED}} if url.startswith("amqps://") else {}
    address = read_store_address(url)
    if address.nodes:
        raise ConfigError("Celery has no transport for a cluster: give its broker a server of its own")
    if address.scheme == "unix":
        return f"redis+socket://{address.userinfo}{address.server}?virtual_host={address.database or 0}", {}
    path = f"/{address.database}" if address.database else ""
    tls = {**address.tls, "ssl_cert_reqs": VERIFY_MODES[verify_mode(address.tls)]}
    settings: dict[str, Any] = {"broker_use_ssl": tls} if address.encrypted else {}
    if not address.sentinels:
        return f"{address.scheme}://{address.userinfo}{address.server}{path}", settings
    broker = ";".join(f"sentinel://{address.userinfo}{host}:{port}{path}" for host, port in address.sentinels)
    options = {"master_name": address.name, "sentinel_kwargs": sentinel_connection(address)}
    return broker, {**settings, "broker_transport_options": options}


def is_amqp(url: str) -> bool:
    """Return whether an address is a RabbitMQ broker's."""
    return url.startswith(("amqp://", "amqps://"))


def check_amqp_address(text: str) -> None:
    """Check the address of a RabbitMQ broker. Raises ValueError, whose message shows no part of it."""
    try:
        parts = urlsplit(text)
        valid = bool(parts.hostname) and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", text):
        raise ValueError("not a broker's address: amqp://USER:PASSWORD@host:5672/VHOST")
