"""The pages of the sinks: how they stand, why they fail, pausing, going on, and asking them."""

import msgspec

from relay.errors import RelayError
from relay.model import SUBSCRIBER
from relay.operations.gates import pause_sink, resume_sink
from relay.operations.outward_calls import open_tools
from relay.operations.probes import probe_sinks
from relay.operations.sink_detail import SinkDetail, find_configured, list_sinks, read_sink_detail
from relay.timefmt import parse_end
from relay.translation.messages import message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.page_request import PageRequest

HOME = "/admin/sinks"


async def show(asked: PageRequest) -> Content:
    """List the sinks."""
    lines = await list_sinks(asked.services.reader, asked.services.live.config)
    return Content(template="sinks.html", title=message("Sinks"), values={"lines": lines})


async def show_one(asked: PageRequest) -> Content:
    """Show a sink."""
    detail = await _read(asked)
    settings = "" if detail.settings is None else _format(detail.settings)
    values = {"detail": detail, "settings": settings, "subscription": _subscription(detail.line.state.name)}
    return Content(template="sink.html", title=detail.line.state.name, values=values)


async def _read(asked: PageRequest) -> SinkDetail:
    try:
        return await read_sink_detail(asked.services.reader, asked.services.live.config, asked.part("name"))
    except RelayError as error:
        raise NotThere(str(error)) from error


def _format(settings: object) -> str:
    return msgspec.json.format(msgspec.json.encode(settings)).decode()


def _subscription(name: str) -> str:
    """Return the id of the subscription whose sink this is; empty where it is none."""
    return name.removeprefix(SUBSCRIBER) if name.startswith(SUBSCRIBER) else ""


async def pause(asked: PageRequest) -> Done:
    """Let nothing leave for a sink; whoever sees it waiting is told why."""
    services, name = asked.services, asked.part("name")
    if not asked.field("why"):
        return Done(lines=[message("Say why: whoever sees it waiting is told.")], to=f"{HOME}/{name}", ok=False)
    try:
        until = parse_end(asked.field("until"), await services.reader.now()) if asked.field("until") else None
        line = await pause_sink(services.store, services.reader, name, asked.author, until)
    except (RelayError, ValueError) as error:
        return Done(lines=[str(error)], to=f"{HOME}/{name}", ok=False)
    return Done(lines=[line], to=f"{HOME}/{name}")


async def resume(asked: PageRequest) -> Done:
    """Let deliveries leave again."""
    services, name = asked.services, asked.part("name")
    try:
        line = await resume_sink(services.store, services.reader, name, asked.author)
    except RelayError as error:
        return Done(lines=[str(error)], to=f"{HOME}/{name}", ok=False)
    return Done(lines=[line], to=f"{HOME}/{name}")


async def probe(asked: PageRequest) -> Done:
    """Ask a sink by its free call; nothing is delivered."""
    services, name = asked.services, asked.part("name")
    try:
        find_configured(services.live.config, name)
    except RelayError as error:
        return Done(lines=[str(error)], to=f"{HOME}/{name}", ok=False)
    async with open_tools(services.settings, services.reader.client) as tools:
        (probed,) = await probe_sinks([services.live.sinks[name]], tools)
    summary = {
        True: message("It answers as it should."),
        False: message("Something is wrong there:"),
        None: message("It has no call that is free; whether it works is seen when something is sent."),
    }[probed.ok]
    return Done(lines=[summary, probed.message], to=f"{HOME}/{name}", ok=probed.ok is not False)
