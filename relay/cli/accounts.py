"""`relay connect` and `relay names`: the account itself, through its API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
import typer

from relay.accounts.account import open_account
from relay.accounts.client import AccountClient
from relay.accounts.hooks import Change, change, enable_hook, list_hooks, set_hook
from relay.accounts.names import fetch_names, to_yaml
from relay.accounts.needed_events import needed_events
from relay.cli import options
from relay.cli.context import ANSWER_SECONDS, config, settings, variables, with_store
from relay.cli.output import print_json
from relay.cli.sources import hook_path
from relay.config.account_names import names_folder
from relay.config.environment import Settings
from relay.config.findings import did_you_mean
from relay.config.load import Config, Source, load_sources
from relay.errors import ConfigError
from relay.logs import mask
from relay.model import Record
from relay.store.connect import connect as connect_store
from relay.store.shared_state import SharedState
from relay.transport import Session

T = TypeVar("T")
SourceName: TypeAlias = Annotated[str, typer.Argument(metavar="SOURCE", help="A source with an api.")]


class Connected(Record):
    """What connecting a source changed, or would change."""

    url: str
    events: Sequence[str]
    change: Change
    disabled: bool  # still: amoCRM sends nothing


def connect(
    source: SourceName,
    url: Annotated[str, typer.Option(help="The relay's address as amoCRM reaches it: https://relay.example.com")],
    enable: Annotated[
        bool, typer.Option("--enable", help="Lift `disabled`, where amoCRM has given the hook up.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    json: options.Json = False,
) -> None:
    """Register the relay's address in the account, for all that is wanted here. Again, it changes nothing."""
    found = config()
    account = _source(found.sources, source)
    address, events = hook_address(found, source, url), _events(found, source)

    async def work(client: AccountClient) -> Connected:
        return await connected(client, address, events, enable=enable, dry_run=dry_run)

    done = asking(account, work)
    if json:
        print_json(done, reveal=True)
    else:
        for line in format_connected(done, source, enable=enable, dry_run=dry_run):
            typer.echo(line)


def names(source: SourceName) -> None:
    """Write the account's pipelines, statuses, users and custom fields beside the configuration, for `relay check`."""
    config_path = settings().config_path
    account = _source(load_sources(config_path, environ=variables()), source)
    fetched = asking(account, fetch_names)
    path = names_folder(config_path) / f"{source}.yaml"
    changed = _write(path, to_yaml(source, fetched))
    counts = f"{len(fetched.pipelines)} pipeline(s), {len(fetched.users)} user(s)"
    fields = sum(len(fields) for fields in fetched.fields.values())
    typer.echo(f"{path}: {counts}, {fields} custom field(s){'' if changed else '; nothing has changed'}")


def _source(sources: Mapping[str, Source], name: str) -> Source:
    if name not in sources:
        raise ConfigError(f"unknown source {name}, {did_you_mean(name, sources)}")
    return sources[name]


def asking(source: Source, work: Callable[[AccountClient], Awaitable[T]]) -> T:
    """Ask a source's account. Raises ConfigError, AccountRefused, AccountUnavailable, StoreUnavailable."""
    return asyncio.run(_with_client(source, settings(), work))


async def _with_client(source: Source, found: Settings, work: Callable[[AccountClient], Awaitable[T]]) -> T:
    if found.redis_url is None:
        raise ConfigError(
            "REDIS_URL is not set, and no `relay dev` runs in this folder: the account's limit is kept in the store"
        )
    store = connect_store(found.redis_url, answer_seconds=ANSWER_SECONDS)
    session = Session()
    try:
        return await work(open_account(source, SharedState(store, found.namespace), session, found.secret_key))
    finally:
        await session.close()
        await store.aclose()


async def connected(
    client: AccountClient, address: str, events: frozenset[str], *, enable: bool, dry_run: bool
) -> Connected:
    """Bring the account's hook to what it should be, and say what that took. Raises as the client does."""
    found = change(await list_hooks(client), address, events)
    wanted = events - frozenset(found.unknown)
    if found.disabled and enable and not dry_run:
        await enable_hook(client, address, wanted)
    elif found.needed and not dry_run:
        await set_hook(client, address, wanted)
    disabled = found.disabled and (dry_run or not enable)
    return Connected(
        url=mask(address),
        events=sorted(wanted),
        change=msgspec.structs.replace(found, strays=[mask(url) for url in found.strays]),
        disabled=disabled,
    )


def hook_address(config: Config, source: str, url: str) -> str:
    """Return the full address of a source's hook. Raises ConfigError where `url` is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError("--url: write the relay's address in full, such as https://relay.example.com")
    return url.rstrip("/") + hook_path(config, source)


def _events(config: Config, source: str) -> frozenset[str]:
    events = needed_events(config, source, with_store(lambda store: store.subscriptions.list(source)))
    if not events:
        raise ConfigError(f"no route is for {source}, and nobody subscribes to it: its events are what is registered")
    return events


def format_connected(done: Connected, source: str, *, enable: bool, dry_run: bool) -> Iterator[str]:
    """Return what has changed, line by line."""
    found, would = done.change, "would be " if dry_run else ""
    yield f"{done.url} in the account of {source}"
    yield from (f"  + {event}" for event in found.added)
    yield from (f"  - {event}" for event in found.removed)
    if found.needed:
        yield f"{would}{'registered' if found.new else 'updated'}: {len(done.events)} event(s)"
    else:
        yield f"nothing {'would change' if dry_run else 'changes'}: {len(done.events)} event(s)"
    if found.disabled:
        yield _of_disabled(enable=enable, dry_run=dry_run)
    if found.unknown:
        yield f"amoCRM has no subscription to {', '.join(found.unknown)}: set these up in the account by hand"
    yield from (f"another hook leads to this source: {url}: remove it in the account" for url in found.strays)


def _of_disabled(*, enable: bool, dry_run: bool) -> str:
    if not enable:
        return "amoCRM has DISABLED this hook after too many failures, and sends nothing: `--enable` lifts that"
    return "it was disabled: that would be lifted" if dry_run else "it was disabled: that is lifted"


def _write(path: Path, text: str) -> bool:
    """Put a file in place at once; return whether it is another than before."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".yaml.new")
    half.write_text(text, encoding="utf-8")
    half.replace(path)
    return True
