"""Sources of the JSON API: how they stand, and what their accounts are asked to change or to tell."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from relay.cases.uses import read_case_uses
from relay.config.config import Source
from relay.config.suggestions import did_you_mean
from relay.model import Record
from relay.operations.hook_registration import HookRegistration, connect_source
from relay.operations.names_check import NamesCheck, check_names
from relay.operations.names_update import NamesUpdate, update_names
from relay.operations.outward_calls import open_account
from relay.operations.sources import SourceStatus, list_sources, read_source
from relay.store.shared_state import SharedState
from relay.web.admin.api.operation import NOT_FOUND, ActBody, ApiFailure, Call, Operation, Operations


class Sources(Record):
    """How all sources of the configuration stand."""

    items: Sequence[SourceStatus]


class ConnectBody(ActBody):
    """Where amoCRM reaches the relay. `enable`: also a webhook that amoCRM has disabled. `dry_run`: change nothing."""

    url: Annotated[str, msgspec.Meta(max_length=1000, description="Such as https://relay.example.com.")]
    enable: bool = False
    dry_run: bool = False


class NamesBody(ActBody):
    """`dry_run`: say what would change, and write nothing."""

    dry_run: bool = False


async def list_all(call: Call) -> Sources:
    """Answer how the sources stand."""
    return Sources(items=await list_sources(call.reader, call.live.config, call.settings))


async def show(call: Call) -> SourceStatus:
    """Answer how a source stands."""
    return await read_source(call.reader, call.live.config, call.part("name"), call.settings)


async def connect(call: Call) -> HookRegistration:
    """Register the relay as a webhook of the account."""
    source, body = _source(call), call.body
    async with open_account(call.settings, call.reader, source) as client:
        return await connect_source(
            call.live.config, source.name, body.url, client, call.store, call.author, enable=body.enable,
            dry_run=body.dry_run,
        )  # fmt: skip


async def names(call: Call) -> NamesUpdate:
    """Save what the account calls its ids."""
    source, path = _source(call), call.settings.config_path
    async with open_account(call.settings, call.reader, source) as client:
        return await update_names(client, call.store, path, source.name, call.author, dry_run=call.body.dry_run)


async def check(call: Call) -> NamesCheck:
    """Ask the account how it is set up, and compare that with what is needed of it."""
    source = _source(call)
    own = call.reader.of_source(source.name)
    shared = SharedState(own.client, own.namespace)
    uses = await read_case_uses(call.live.config, call.settings.config_path)
    async with open_account(call.settings, call.reader, source) as client:
        return await check_names(client, shared, call.live.config, uses)


def _source(call: Call) -> Source:
    sources, name = call.live.config.sources, call.part("name")
    if name not in sources:
        raise ApiFailure(NOT_FOUND, f"unknown source {name}, {did_you_mean(name, sources)}")
    return sources[name]


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/sources", summary="List the sources: last hook, rhythm, hook in the account, events.",
        handler=list_all, answer=Sources, command="sources list",
    ),
    Operation(
        method="GET", path="/sources/{name}", summary="Show a source.", handler=show, answer=SourceStatus, finds=True,
        command="sources show",
    ),
    Operation(
        method="POST", path="/sources/{name}/connect",
        summary="Register the relay as a webhook of the account, for the events that are needed.", handler=connect,
        answer=HookRegistration, body=ConnectBody, acts=True, calls=True, command="connect",
    ),
    Operation(
        method="POST", path="/sources/{name}/names",
        summary="Save the account's names of pipelines, statuses, users and fields beside the web process's file.",
        handler=names, answer=NamesUpdate, body=NamesBody, acts=True, calls=True, command="names",
    ),
    Operation(
        method="POST", path="/sources/{name}/names/check",
        summary="Compare how the account is set up with what routes, tables and cases need of it.",
        handler=check, answer=NamesCheck, body=ActBody, acts=True, calls=True, command="names",
    ),
)  # fmt: skip
