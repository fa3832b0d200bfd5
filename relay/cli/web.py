"""`relay web`: the process that takes hooks."""

from relay.cli import options
from relay.cli.context.process import check_environment
from relay.processes.exec import exec_module, run_module


def web(take_over: options.TakeOverOption = False) -> None:
    """Run the web process, which takes hooks: on RELAY_HOST and PORT, with WEB_CONCURRENCY processes."""
    settings = check_environment(take_over=take_over)
    # Several processes have a parent that only watches them: it needs nothing of what was imported here.
    start = run_module if settings.web_concurrency == 1 else exec_module
    start(
        "relay.web.server",
        *("--host", settings.host, "--port", str(settings.port), "--workers", str(settings.web_concurrency)),
    )
