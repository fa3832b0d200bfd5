"""`relay deliveries confirm` and `resend`: what only a person can decide."""

import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from relay.cli.context import with_store
from relay.store.store import Store

Ids: TypeAlias = Annotated[list[str], typer.Argument(metavar="DELIVERY_ID…", show_default=False)]
By: TypeAlias = Annotated[str | None, typer.Option(help="Who decides, for the story.", show_default="your user name")]
Verdict: TypeAlias = Callable[[Store, str, str], Awaitable[str | None]]


def confirm(ids: Ids, by: By = None) -> None:
    """Return that held deliveries arrived: you have looked, and they are there."""
    _decide(ids, by, "delivered", Store.confirm)


def resend(ids: Ids, by: By = None) -> None:
    """Send deliveries once more: held, dead, cancelled or skipped ones. Have you looked whether they arrived?"""
    _decide(ids, by, "will be sent again", Store.resend)


def _decide(ids: list[str], by: str | None, done: str, verdict: Verdict) -> None:
    who = by or getpass.getuser()

    async def all_of_them(store: Store) -> list[str | None]:
        return [await verdict(store, id, who) for id in ids]

    refusals = with_store(all_of_them)
    for id, refusal in zip(ids, refusals, strict=True):
        typer.echo(f"{id}: {refusal or done}", err=refusal is not None)
    if any(refusals):
        raise typer.Exit(1)
