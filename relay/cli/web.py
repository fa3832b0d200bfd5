"""`relay web`: the process that takes hooks."""

from relay.cli import options
from relay.cli.context.process import check_environment
from relay.processes.exec import exec_module


def web(take_over: options.TakeOverOption = False) -> None:
    """Run the web process, which takes hooks: on RELAY_HOST and PORT, with WEB_CONCURRENCY processes."""
    settings = check_environment(take_over=take_over)
    exec_module(
        "relay.web.server",
        *("--host", settings.host, "--port", str(settings.port), "--workers", str(settings.web_concurrency)),
    )
