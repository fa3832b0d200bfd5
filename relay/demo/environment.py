"""The environment of `relay demo`: its own configuration and store, whatever is set for yours. Pure."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

CONFIG: Final = str(files("relay.demo") / "relay.yaml")
_YOURS: Final = ("REDIS_URL", "CELERY_BROKER_URL", "WEB_CONCURRENCY")
_KEPT: Final = ("RELAY_LOG", "RELAY_HOST", "RELAY_SANDBOX_PORT", "RELAY_SANDBOX_SMTP_PORT")


def demo_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what names your store, your configuration or a proxy."""
    return {name: value for name, value in environ.items() if not _is_yours(name)} | {"RELAY_CONFIG": CONFIG}


def _is_yours(name: str) -> bool:
    if name in _KEPT:
        return False
    return name in _YOURS or name.startswith("RELAY_") or name.lower().endswith("_proxy")
