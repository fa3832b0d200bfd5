"""`relay up`: production on one server with one command."""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO, cast

import typer

from relay.cli import options
from relay.cli.context.configuration import load_config_of
from relay.cli.context.environment import nonempty_environ
from relay.cli.display.output import print_lines
from relay.config.environment import TAKE_OVER, ProcessSettings, environ
from relay.embedded.broker import make_broker
from relay.embedded.memory import store_memory
from relay.embedded.server import EmbeddedStore
from relay.errors import ConfigError, RelayError, StoreUnavailable
from relay.log_format import configure
from relay.processes.folder import UP_FOLDER, LockedFolder
from relay.up.formation import UpOptions
from relay.up.handover import Handover, become_new_program, read_handover
from relay.up.listener import SYSTEMD_VARIABLES, inherited_listener, open_listener
from relay.up.log_files import OWN, LogFiles, TerminalAndFile
from relay.up.reloading import reload_running
from relay.up.run import UpRun
from relay.up.state import forget_state, is_other_process, read_state

ORPHAN_SECONDS: Final = 15.0  # in which the processes of a `relay up` that was killed end


_BROKER_URL: Final = "CELERY_BROKER_URL"
_ADDRESSES: Final = ("REDIS_URL", _BROKER_URL, "PORT", "RELAY_CONFIG", "RELAY_NAMESPACE")


class LogTarget(StrEnum):
    """Where the logs go."""

    FILES = "files"
    STDOUT = "stdout"


def up(
    reload: Annotated[
        bool,
        typer.Option(
            "--reload", help="Have the one that runs in this folder become what is installed now, without a gap."
        ),
    ] = False,
    log_to: Annotated[
        LogTarget | None,
        typer.Option(help="files: in .relay/up/logs, rotated. Default: stdout under systemd, else files."),
    ] = None,
    take_over: options.TakeOverOption = False,
    handover: Annotated[int | None, typer.Option(hidden=True, help="What the program before has left.")] = None,
) -> None:
    """Run production on this server: the store, web and workers, started again when they end. SIGTERM ends it."""
    if reload:
        version = reload_running(UP_FOLDER)
        print_lines([f"relay {version} has replaced web and workers; the store went on"])
        return
    os.umask(0o077)  # the store and the logs hold what people are called
    inherited = None if handover is None else read_handover(handover)
    given = nonempty_environ() | _unchanged(inherited)
    target = log_to or (LogTarget.STDOUT if "JOURNAL_STREAM" in given else LogTarget.FILES)
    next_one = _run(given, target, inherited, take_over=take_over)
    if next_one is not None:
        become_new_program(next_one, target)


def _run(
    given: Mapping[str, str], target: LogTarget, inherited: Handover | None, *, take_over: bool
) -> Handover | None:
    """Run until SIGTERM; return what is handed over where it goes on as another program."""
    settings = ProcessSettings.from_environ(given)
    config = load_config_of(given)
    if config.findings:
        raise ConfigError("\n".join(finding.format(settings.config_path) for finding in config.findings))
    folder = _lock_folder(inherited)
    try:
        listening = _open_listener(settings, given, inherited)
        own_broker = _BROKER_URL not in given
        take_over = take_over or inherited is not None
        plan = _plan(settings, target, folder.path, inherited, own_broker=own_broker, take_over=take_over)
        configure(settings.log, None if plan.to_stdout else cast(TextIO, TerminalAndFile(plan.logs.path(OWN))))
        folder.write_environ({name: plan.environ[name] for name in _ADDRESSES if name in plan.environ})

        async def claim_store() -> None:
            from relay.cli.context.process import claim_store_of  # with the store's client: web starts meanwhile

            with suppress(StoreUnavailable):  # one that is away now will be there later
                take = plan.environ[TAKE_OVER] == "1"
                await claim_store_of(settings, plan.environ["REDIS_URL"], config, take_over=take)

        next_one = asyncio.run(UpRun(plan, folder, listening, claim_store, inherited).run())
    except BaseException as error:
        folder.release()
        if isinstance(error, OSError):
            raise RelayError(
                f"{error.filename or folder.path}: {error.strerror}: `relay up` cannot run there"
            ) from error
        raise
    if next_one is None:
        folder.release()
    return next_one


def _lock_folder(inherited: Handover | None) -> LockedFolder:
    if inherited is not None:
        return LockedFolder.inherited(UP_FOLDER, inherited.lock)
    before = read_state(UP_FOLDER)
    # One that was killed leaves processes that are about to end. Beside one that runs nothing is to be waited for.
    patience = 0.0 if before is None or is_other_process(before) else ORPHAN_SECONDS
    folder = LockedFolder(UP_FOLDER, patience)
    forget_state(UP_FOLDER)
    return folder


def _open_listener(settings: ProcessSettings, given: Mapping[str, str], inherited: Handover | None) -> socket.socket:
    if inherited is not None:
        return inherited_listener(inherited.listening)
    return open_listener(settings.host, settings.port, given)


def _plan(
    settings: ProcessSettings,
    target: LogTarget,
    folder: Path,
    inherited: Handover | None,
    *,
    own_broker: bool,
    take_over: bool,
) -> UpOptions:
    store = EmbeddedStore(folder / "store", "--maxmemory", str(store_memory()))
    own = settings.redis_url is None if inherited is None else inherited.own_store
    broker = make_broker(folder) if own and own_broker else None
    addresses = {"REDIS_URL": settings.redis_url or store.url, "RELAY_NAMESPACE": settings.namespace}
    addresses[TAKE_OVER] = "1" if take_over or settings.take_over else "0"
    if broker is not None:
        addresses[_BROKER_URL] = broker.url
    return UpOptions(
        environ=child_environ(addresses),
        store=store if own else None,
        broker=broker,
        web=settings.web_concurrency,
        workers=settings.workers,
        logs=LogFiles(folder / "logs", store.log, *([broker.log] if broker else [])),
        to_stdout=target is LogTarget.STDOUT,
    )


def _unchanged(inherited: Handover | None) -> dict[str, str]:
    """Return the variables that a reload does not change: those of what holds the data."""
    if inherited is None:
        return {}
    return {"REDIS_URL": inherited.store_url, "RELAY_NAMESPACE": inherited.namespace}


def child_environ(addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the processes. What is empty stays so: else their `.env` would fill it again."""
    given = {name: value for name, value in environ().items() if name not in SYSTEMD_VARIABLES}
    return {**given, **addresses, "PYTHONUNBUFFERED": "1"}
