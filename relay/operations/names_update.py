"""Save what an account calls its pipelines, statuses, users and custom fields beside the configuration."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from relay.accounts.client import AccountClient
from relay.accounts.names import fetch_setup
from relay.config.account_names import AccountNames
from relay.config.names_files import format_names, names_folder, parse_names
from relay.errors import ConfigError, RelayError
from relay.model import Record
from relay.operations.drift_reports import DriftReports
from relay.store.acts import Author
from relay.store.shared_state import SharedState
from relay.store.store import Store

MOST_CHANGES: Final = 50  # that are told one by one


class NamesUpdate(Record):
    """What the file of an account's names is now, or would be after a dry run.

    `changes`: a line for each name that the file had otherwise; none where there was no file.
    """

    file: str
    pipelines: int
    users: int
    custom_fields: int
    changed: bool
    changes: list[str]


async def update_names(
    client: AccountClient, store: Store, config_path: str, source: str, author: Author, *, dry_run: bool
) -> NamesUpdate:
    """Fetch the names and write their file, where it differs; what was written stands in the audit.

    Raises as the client does, and RelayError where the file cannot be written.
    """
    setup = await fetch_setup(client)
    own = store.of_source(source)
    await DriftReports(SharedState(own.client, own.namespace)).save_setup(source, setup)
    fetched = setup.names()
    file, text = names_folder(config_path) / f"{source}.yaml", format_names(source, fetched)
    before = await asyncio.to_thread(_read, file)
    changed = before != text
    if changed and not dry_run:
        await asyncio.to_thread(_write, file, text)
        await store.acts.note("names", f"source {source}", author, "" if before is None else "older names")
    return NamesUpdate(
        file=str(file),
        pipelines=len(fetched.pipelines),
        users=len(fetched.users),
        custom_fields=sum(map(len, fetched.fields.values())),
        changed=changed,
        changes=[] if before is None else list(_changes(_parsed(before, file), fetched)),
    )


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # it is written anew, and where that cannot be it is said
        return None


def _parsed(text: str, file: Path) -> AccountNames:
    try:
        return parse_names(text, str(file))
    except ConfigError:  # somebody has edited it: all of it is new
        return AccountNames()


def _write(file: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".yaml.new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        advice = f"run `relay names {file.stem}` where the configuration can be written"
        raise RelayError(f"{file} cannot be written: {error.strerror}: {advice}") from error


def _changes(before: AccountNames, now: AccountNames) -> Iterator[str]:
    """Yield a line for each name that is new, gone or another one; behind the last one how many more there are."""
    old, new = dict(_flat(before)), dict(_flat(now))
    differing = _differing(old, new)
    for key in differing[:MOST_CHANGES]:
        if key not in old:
            yield f"+ {key}: {new[key]}"
        elif key not in new:
            yield f"- {key}: {old[key]}"
        else:
            yield f"{key}: {old[key]} is now {new[key]}"
    if len(differing) > MOST_CHANGES:
        yield f"and {len(differing) - MOST_CHANGES} more"


def count_differences(before: AccountNames, now: AccountNames) -> int:
    """Return how many names are new, gone or other ones."""
    return len(_differing(dict(_flat(before)), dict(_flat(now))))


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [key for key in dict.fromkeys([*new, *old]) if old.get(key) != new.get(key)]


def _flat(names: AccountNames) -> Iterator[tuple[str, str]]:
    for id, pipeline in names.pipelines.items():
        yield f"pipeline {id}", pipeline.name
        yield from ((f"status {status} of pipeline {id}", name) for status, name in pipeline.statuses.items())
    yield from ((f"user {id}", name) for id, name in names.users.items())
    for entity, fields in names.fields.items():
        yield from ((f"custom field {id} of {entity}", field.name) for id, field in fields.items())
