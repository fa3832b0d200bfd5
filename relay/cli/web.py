"""`relay web`: the process that takes hooks."""

from importlib.resources import files
from typing import Final

from relay.cli.context import check_environment
from relay.processes.exec import exec_module

GRACE_SECONDS: Final = 15  # in which a web process answers the requests that it has read
# Longer than proxies keep their idle connections (Heroku's router 90 s, nginx 60 s): one that is closed by us just as a
# proxy sends a hook into it is a 502 to amoCRM.
KEEP_ALIVE_SECONDS: Final = 100


def web() -> None:
    """Run the web process, which takes hooks: uvicorn on PORT, with WEB_CONCURRENCY processes."""
    settings = check_environment()
    exec_module(
        *("uvicorn", "--factory", "relay.web.app:create"),
        *("--host", "0.0.0.0", "--port", str(settings.port), "--workers", str(settings.web_concurrency)),
        *("--loop", "uvloop", "--http", "httptools", "--lifespan", "on"),
        # The file says only {"version": 1}: uvicorn's own lines go through our format.
        *("--no-access-log", "--log-config", str(files("relay.web") / "logging.json")),
        *("--timeout-graceful-shutdown", str(GRACE_SECONDS)),
        *("--timeout-keep-alive", str(KEEP_ALIVE_SECONDS)),
    )
