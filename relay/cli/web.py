"""`relay web`: the process that takes hooks."""

from relay.cli.context import check_environment
from relay.processes.exec import exec_module


def web() -> None:
    """Run the web process, which takes hooks: on RELAY_HOST and PORT, with WEB_CONCURRENCY processes."""
    settings = check_environment()
    exec_module(
        "relay.web.server",
        *("--host", settings.host, "--port", str(settings.port), "--workers", str(settings.web_concurrency)),
    )
