"""Follow a bulk action to its end: a bar on a terminal, lines elsewhere."""

import asyncio
import sys
import time
from typing import Final

import typer

from relay.cli.context.store import with_store
from relay.cli.display.actions import format_progress, format_results
from relay.cli.display.output import print_lines, print_message
from relay.cli.display.progress import ProgressBar
from relay.operations.actions import Action, read_action
from relay.store.actions import ActionState
from relay.store.store import Store

LOOK_SECONDS: Final = 0.5
LINE_SECONDS: Final = 5.0
_GOES_ON: Final = (ActionState.RUNNING, ActionState.PAUSED)


def follow(id: str) -> Action:
    """Show how an action comes on, until it ends. Exits with 130 where somebody interrupts that."""
    try:
        return with_store(lambda store: _follow(store, id))
    except KeyboardInterrupt:
        print_message(f"the workers go on: relay actions show {id}", error=True)
        raise typer.Exit(130) from None


def print_end(action: Action) -> None:
    """Print how an action has ended."""
    print_lines([f"{action.id} is {action.state}", *format_results(action)])


def exit_by(action: Action) -> None:
    """Exit with 1 where an action was not done."""
    if action.state is not ActionState.DONE:
        raise typer.Exit(1)


async def _follow(store: Store, id: str) -> Action:
    action = await read_action(store, id)
    said, said_at = "", 0.0
    with ProgressBar(f"{action.kind} {id}", action.total) as progress:
        while action.state in _GOES_ON:
            line = format_progress(action)
            progress.show(action.looked, line)
            if not sys.stderr.isatty() and line != said and time.monotonic() - said_at > LINE_SECONDS:
                print_message(line, error=True)
                said, said_at = line, time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            action = await read_action(store, id)
    return action
