"""The page Sources: whether each account sends, what its hook lacks, and what can be asked of its account."""

from collections.abc import Mapping
from typing import Final

from relay.cases.uses import read_case_uses
from relay.config.config import Source
from relay.errors import RelayError
from relay.operations.action_catch_up import start_catch_up
from relay.operations.hook_registration import connect_source
from relay.operations.names_check import check_names
from relay.operations.names_update import update_names
from relay.operations.outward_calls import open_account
from relay.operations.sources import list_sources, read_source
from relay.store.shared_state import SharedState
from relay.timefmt import parse_time
from relay.translation.messages import UiText, counted, message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.page_request import PageRequest

HOME: Final = "/admin/sources"


async def show(asked: PageRequest) -> Content:
    """Show all sources."""
    services = asked.services
    sources = await list_sources(services.reader, services.live.config, services.settings)
    return Content(template="sources.html", title=message("Sources"), values={"sources": sources, "one": False})


async def show_one(asked: PageRequest) -> Content:
    """Show a source."""
    return await _show(asked, {})


async def _show(asked: PageRequest, found: Mapping[str, object]) -> Content:
    """Show a source with what its account has answered: `registration`, `names` or `drift`, or none."""
    services = asked.services
    try:
        source = await read_source(services.reader, services.live.config, asked.part("name"), services.settings)
    except RelayError as error:
        raise NotThere(str(error)) from error
    values = {"sources": [source], "one": True, "url": asked.field("url") or _own_address(asked)}
    return Content(
        template="sources.html",
        title=source.name,
        values={**values, "registration": None, "names": None, "drift": None, **found},
    )


def _own_address(asked: PageRequest) -> str:
    """Return the address by which the page was opened: mostly it is the one that amoCRM reaches, too."""
    return str(asked.request.base_url).rstrip("/")


async def connect(asked: PageRequest) -> Content | Done:
    """Register the relay as a webhook of the account, or show what that would change."""
    services, source, dry_run = asked.services, _source(asked), asked.field("act") != "do"
    try:
        async with open_account(services.settings, services.reader, source) as client:
            registration = await connect_source(
                services.live.config, source.name, asked.field("url"), client, services.store, asked.author,
                enable=bool(asked.field("enable")), dry_run=dry_run,
            )  # fmt: skip
    except RelayError as error:
        return _refused(source, str(error))
    if dry_run:
        return await _show(asked, {"registration": registration})
    lines: list[UiText | str] = [
        counted("The hook is registered for {n} event.", "The hook is registered for {n} events.",
                len(registration.events))
    ]  # fmt: skip
    if registration.disabled:
        lines.append(message("amoCRM has disabled it and sends nothing: tick “enable it again”."))
    return Done(lines=lines, to=_address(source), ok=not registration.disabled)


async def update_names_file(asked: PageRequest) -> Content | Done:
    """Write what the account calls its ids, show what has changed there, or in what it has drifted."""
    if asked.field("act") == "check":
        return await _check_names(asked)
    services, source, dry_run = asked.services, _source(asked), asked.field("act") != "do"
    path = services.settings.config_path
    try:
        async with open_account(services.settings, services.reader, source) as client:
            update = await update_names(client, services.store, path, source.name, asked.author, dry_run=dry_run)
    except RelayError as error:
        return _refused(source, str(error))
    if dry_run:
        return await _show(asked, {"names": update})
    said = message("The file of names is written.") if update.changed else message("No name has changed.")
    return Done(lines=[said], to=_address(source))


async def _check_names(asked: PageRequest) -> Content | Done:
    services, source = asked.services, _source(asked)
    own = services.reader.of_source(source.name)
    shared = SharedState(own.client, own.namespace)
    uses = await read_case_uses(services.live.config, services.settings.config_path)
    try:
        async with open_account(services.settings, services.reader, source) as client:
            found = await check_names(client, shared, services.live.config, uses)
    except RelayError as error:
        return _refused(source, str(error))
    return await _show(asked, {"drift": found})


async def catch_up(asked: PageRequest) -> Done:
    """Have the workers recover what no hook reported, by a bulk action."""
    services, source = asked.services, _source(asked)
    if not asked.field("why"):
        return Done(lines=[message("Say why: it stands beside what the action did.")], to=_address(source), ok=False)
    try:
        now = await services.reader.now()
        since = parse_time(asked.field("since"), now)
        until = parse_time(asked.field("until"), now) if asked.field("until") else None
        begun = await start_catch_up(services.store, services.live.config, source.name, since, until, asked.author)
    except (RelayError, ValueError, OverflowError) as error:
        return _refused(source, str(error))
    return Done(lines=[begun.message], to=f"/admin/actions/{begun.id}", ok=begun.started)


def _source(asked: PageRequest) -> Source:
    found = asked.services.live.config.sources.get(asked.part("name"))
    if found is None:
        raise NotThere(message("There is no such source in the configuration."))
    return found


def _address(source: Source) -> str:
    return f"{HOME}/{source.name}"


def _refused(source: Source, why: str) -> Done:
    return Done(lines=[why], to=_address(source), ok=False)
