"""`relay web`, `relay worker`: one process. `relay dev`: all of them on this machine."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from relay.cli.output import console
from relay.cli.sources import hook_path
from relay.config.environment import Settings, environ
from relay.config.load import Config, load_file
from relay.errors import ConfigError
from relay.processes.folder import FOLDER
from relay.processes.supervisor import Processes
from relay.sinks import TYPES

GRACE_SECONDS: Final = 15  # in which a web process answers what it has taken
_LOOK_SECONDS: Final = 0.3
_COLORS: Final = {"web": "cyan", "worker": "green", "sandbox": "magenta"}


def web() -> None:
    """Run the web process: uvicorn on PORT, with WEB_CONCURRENCY processes."""
    settings = _checked()
    _become(
        *("uvicorn", "--factory", "relay.web.app:create"),
        *("--host", "0.0.0.0", "--port", str(settings.port), "--workers", str(settings.web_concurrency)),
        *("--loop", "uvloop", "--http", "httptools", "--lifespan", "on"),
        # It says no more than {"version": 1}: uvicorn's own lines go through our format.
        *("--no-access-log", "--log-config", str(files("relay.web") / "logging.json")),
        *("--timeout-graceful-shutdown", str(GRACE_SECONDS)),
    )


def worker(
    concurrency: Annotated[int, typer.Option(min=1, help="Threads that hear bells; the work is done beside them.")] = 4,
) -> None:
    """Run a worker: Celery with threads. Any number of them may run."""
    _checked()
    _become(
        *("celery", "--app", "workers.app", "worker", "--pool", "threads", "--concurrency", str(concurrency)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *("-Q", "route,drain", "--loglevel", "INFO"),
    )


def _checked() -> Settings:
    """Return what is wrong before another program does it with a traceback. Raises ConfigError."""
    settings = Settings.from_environ(environ())
    if settings.redis_url is None:
        raise ConfigError("REDIS_URL is not set: give the store's address; `relay dev` brings its own")
    load_file(settings.config_path, environ=environ(), sink_types=TYPES)
    return settings


def _become(module: str, *arguments: str) -> NoReturn:
    command = [sys.executable, "-m", module, *arguments]
    typer.echo(shlex.join(command))
    sys.stdout.flush()
    os.execv(sys.executable, command)


def dev() -> None:
    """Run everything on this machine: an embedded store (or REDIS_URL), fake vendors, web and a worker."""
    say = console()

    def show(name: str, line: str) -> None:
        say.print(f"{name:<8}│ ", style=_COLORS.get(name), end="")
        say.print(line, markup=False, soft_wrap=True)

    with until_interrupted(), Processes(FOLDER, local({"RELAY_LOG": "console"}), show) as processes:
        config = checked_config(processes)
        processes.start()
        for line in addresses(processes, config):
            say.print(line, markup=False, soft_wrap=True)
        while True:
            processes.check()
            time.sleep(_LOOK_SECONDS)


def local(defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for processes on this machine."""
    return {**defaults, **{name: value for name, value in environ().items() if value}}


def checked_config(processes: Processes) -> Config:
    """Load the configuration as the processes will see it. Raises ConfigError."""
    settings = Settings.from_environ(processes.environ)
    return load_file(settings.config_path, environ=processes.environ, sink_types=TYPES)


def addresses(processes: Processes, config: Config) -> Iterator[str]:
    """Tell what can be opened and tried."""
    for source in config.sources:
        yield f"hooks of {source}: {processes.url}{hook_path(config, source)}"
    yield f"state: {processes.url}/readyz   numbers: {processes.url}/metrics"
    yield f"fake vendors: {processes.sandbox_url}, what they got: {processes.sandbox_url}/__sandbox__/requests"
    yield f"logs: {processes.folder / 'logs'}"


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Take SIGTERM, and a terminal that is closed, for Ctrl-C: whatever runs is ended in order. Then go on."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's & has the first ignored
        signal.signal(name, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("ended", err=True)
