"""Commands that are imported when they are run: each needs other libraries, and to import all takes over a second."""

from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from relay.spare_libraries import OF_REDIS, hidden


class LazyCommand(TyperCommand):
    """A command of which only name and help are known, until it is to parse arguments."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the context of the command itself: what runs, shows its help or completes goes on with that."""
        return load_command(self.name or "").make_context(*args, **kwargs)


@cache
def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import a command: the function of its name in the module of its name, or the group `app` there."""
    own_name = name.replace("-", "_")
    with hidden(OF_REDIS):
        module = import_module(f"relay.cli.{own_name}")
    if group := getattr(module, "app", None):
        return get_group(group)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(module, own_name))
    return get_command(alone)  # type: ignore[return-value]  # which Typer makes of one command
