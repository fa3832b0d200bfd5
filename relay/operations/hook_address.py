"""The address that a source's hooks are posted to. Pure."""

from urllib.parse import urlsplit

from relay.config.config import Config
from relay.errors import ConfigError


def hook_path(config: Config, source: str) -> str:
    """Return the path that a source's hooks are posted to. It contains the token: mask it in what is logged."""
    return f"/hooks/{source}/{config.hook_tokens[source][0].decode()}"


def hook_address(config: Config, source: str, relay_url: str) -> str:
    """Return the full address of a source's hooks. Raises ConfigError where `relay_url` is not a relay's address."""
    try:
        parts = urlsplit(relay_url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:  # brackets that do not close
        right = False
    if not right or not relay_url.isprintable() or " " in relay_url:
        raise ConfigError("url: write the relay's address in full, such as https://relay.example.com")
    return relay_url.rstrip("/") + hook_path(config, source)
