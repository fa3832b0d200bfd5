"""The address that a source's hooks are posted to. Pure."""

from urllib.parse import urlsplit

from relay.config.config import Config
from relay.errors import ConfigError


def hook_path(config: Config, source: str) -> str:
    """Return the path that a source's hooks are posted to. It contains the token: mask it in what is logged."""
    return f"/hooks/{source}/{config.hook_tokens[source][0].decode()}"


def hook_address(config: Config, source: str, relay_url: str) -> str:
    """Return the full address of a source's hooks. Raises ConfigError where `relay_url` is not a relay's address."""
    parts = urlsplit(relay_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError("--url: write the relay's address in full, such as https://relay.example.com")
    return relay_url.rstrip("/") + hook_path(config, source)
