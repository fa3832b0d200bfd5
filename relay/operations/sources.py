"""How each source stands: its last hook and rhythm, its hook in the account, and the events that this should have."""

import base64
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias

import msgspec

from relay.accounts.caught_up import CaughtUp, read_caught_up
from relay.accounts.needed_events import needed_events
from relay.accounts.source_health import HookState, SourceHealth, examine_source
from relay.accounts.tokens import TokenEnds, TokenStore
from relay.amocrm.event_names import SUBSCRIBABLE
from relay.config.api import OAuthSettings
from relay.config.config import Config, Source
from relay.config.environment import ProcessSettings
from relay.config.names_files import names_folder
from relay.encryption import Encrypter
from relay.errors import AccountRefused, RelayError
from relay.model import Record
from relay.operations.drift_reports import DriftReport, DriftReports
from relay.secret import SecretStr
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.store.subscriptions import Subscriptions

TokenKind: TypeAlias = Literal["", "long-lived", "oauth"]


class _Claims(Record):
    exp: float | None = None


class SourceStatus(Record):
    """A source as it stands. Times are epoch milliseconds. What only its account says is as of `checked_at`."""

    name: str
    account: str  # subdomain; empty where the configuration has none
    received: int  # hooks, repeated ones too
    last_hook_at: int | None
    rhythm_ms: int | None  # the median of the pauses between its hooks; null: not known yet
    patience_ms: int | None  # for how long it may be silent
    silent: bool
    silent_since: int | None
    hook: HookState  # in the account; "unknown" also where there is no api
    problem: str  # why the account could not be asked
    checked_at: int | None
    registered: Sequence[str] | None  # the events of its hook; null: not known
    needed: Sequence[str]  # by routes and subscriptions
    missing: Sequence[str]  # needed, and not registered
    token: TokenKind  # of its api
    token_ends_at: int | None  # when a long-lived token ends, as it says itself; null: it does not say
    access_ends_at: int | None  # of OAuth: when the access token is to be renewed; null: none is stored yet
    refresh_ends_at: int | None  # and by when it must have been, or the integration is authorised again
    caught_up: CaughtUp | None  # the last catch-up that a worker began by itself, of the last day
    names_at: int | None  # when the file of its names was written; null: there is none
    compared_at: int | None  # when the account last said how it is set up; null: it never has
    drifts: int  # things that it has otherwise than routes, tables and cases need them
    not_compared: str  # why it could not be asked when it was last tried


async def list_sources(reader: Reader, config: Config, settings: ProcessSettings) -> list[SourceStatus]:
    """Return how the sources of the configuration stand. Raises StoreUnavailable."""
    return [await _read(reader, config, source, settings) for source in config.sources.values()]


async def read_source(reader: Reader, config: Config, name: str, settings: ProcessSettings) -> SourceStatus:
    """Return how a source stands. Raises RelayError where there is none, StoreUnavailable."""
    if name not in config.sources:
        raise RelayError(f"no source {name} in the configuration: it has {', '.join(config.sources) or 'none'}")
    return await _read(reader, config, config.sources[name], settings)


async def _read(reader: Reader, config: Config, source: Source, settings: ProcessSettings) -> SourceStatus:
    health = await examine_source(reader, source.name) or SourceHealth(received=0, checked_at=0)
    own = reader.of_source(source.name)
    subscribed = await Subscriptions(own.client, own.namespace).list(source.name)
    shared = SharedState(own.client, own.namespace)
    ends = await _oauth_ends(source, shared, settings)
    report = (await DriftReports(shared).read([source.name])).get(source.name, DriftReport())
    needed = needed_events(config, source.name, subscribed)
    registered = health.registered
    lacking = needed & frozenset(SUBSCRIBABLE) - frozenset(registered) if registered is not None else frozenset()
    return SourceStatus(
        name=source.name,
        account=source.account.subdomain,
        received=await reader.received(source.name),
        last_hook_at=await reader.last_hook(source.name),
        rhythm_ms=round(median(health.gaps)) if health.max_silence_ms is not None else None,
        patience_ms=health.max_silence_ms,
        silent=health.silent,
        silent_since=health.outage_since,
        hook=health.hook,
        problem=health.problem,
        checked_at=health.checked_at or None,
        registered=registered,
        needed=sorted(needed),
        missing=sorted(lacking),
        token=_token_kind(source),
        token_ends_at=_token_end(source),
        access_ends_at=None if ends is None else ends.access,
        refresh_ends_at=None if ends is None else ends.refresh,
        caught_up=await read_caught_up(shared, source.name),
        names_at=_written_at(names_folder(settings.config_path) / f"{source.name}.yaml"),
        compared_at=report.asked_at,
        drifts=len(report.drifts) + report.more,
        not_compared=report.failure,
    )


def _token_kind(source: Source) -> TokenKind:
    if source.api is None:
        return ""
    return "long-lived" if isinstance(source.api.credentials, SecretStr) else "oauth"


def _token_end(source: Source) -> int | None:
    """Return the end of a long-lived token, which is a JWT. Only amoCRM can check it; it says its end to anyone."""
    if source.api is None or not isinstance(source.api.credentials, SecretStr):
        return None
    try:
        part = source.api.credentials.get_secret_value().split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=_Claims)
    except (IndexError, ValueError, msgspec.MsgspecError):
        return None
    return None if claims.exp is None else round(claims.exp * 1000)


async def _oauth_ends(source: Source, shared: SharedState, settings: ProcessSettings) -> TokenEnds | None:
    """Return when the tokens of an integration end; None where none is stored, or cannot be read with this key."""
    if source.api is None or not isinstance(source.api.credentials, OAuthSettings) or settings.secret_key is None:
        return None
    encrypter = Encrypter(settings.secret_key)
    try:
        return await TokenStore(source.name, source.api.credentials.refresh_token, shared, encrypter).ends()
    except AccountRefused:  # encrypted with another key: the account's own check tells it
        return None


def _written_at(file: Path) -> int | None:
    try:
        return round(file.stat().st_mtime * 1000)
    except OSError:
        return None
