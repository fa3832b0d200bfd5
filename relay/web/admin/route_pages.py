"""The page Routes: the file as loaded with what came of it, and what would become of a hook."""

from pathlib import Path
from typing import Final

import msgspec

from relay.errors import RelayError
from relay.masking import mask_people, mask_people_in_json, mask_secrets
from relay.model import Json, Receipt
from relay.operations.explanation import Explanation, explain_receipt, receipt_from_body
from relay.operations.once_use import check_once_keys
from relay.operations.people_events import add_names_of
from relay.operations.route_list import list_routes
from relay.translation.messages import UiText, message
from relay.web.admin.content import Content
from relay.web.admin.page_request import PageRequest

HOME: Final = "/admin/routes"


async def show(asked: PageRequest) -> Content:
    """Show the routes, and where the address names an event, what would become of it now."""
    event = asked.text("event")
    if not event:
        return await _content(asked)
    receipt_id, _, index = event.partition(".")
    receipt = await asked.services.reader.raw_receipt(receipt_id)
    if receipt is None:
        gone = message("There is no such event: retention may have removed it.")
        return await _content(asked, problem=gone, status=404)
    return await _explained(asked, receipt, index or None)


async def explain(asked: PageRequest) -> Content:
    """Show what would become of a body that was pasted."""
    sources, source = asked.services.live.config.sources, asked.field("source")
    if not asked.field("body"):
        return await _content(asked, problem=message("Paste the body of a hook first."), status=400)
    if source not in sources:
        return await _content(asked, problem=message("Say which source it is from."), status=400)
    return await _explained(asked, receipt_from_body(asked.field("body").encode(), source), None)


async def _explained(asked: PageRequest, receipt: Receipt, index: str | None) -> Content:
    add_names_of(receipt)
    try:
        explanation = explain_receipt(receipt, asked.services.live.config, index)
        explanation = await check_once_keys(asked.services.reader, explanation)
    except RelayError as error:
        return await _content(asked, problem=str(error), status=400)
    return await _content(asked, explanation)


async def _content(
    asked: PageRequest, explanation: Explanation | None = None, *, problem: "UiText | str" = "", status: int = 200
) -> Content:
    services = asked.services
    config, error = services.live.config, services.live.error
    values = {
        "routes": await list_routes(services.reader, config, Path(services.settings.config_path)),
        "version": config.version,
        "error": mask_secrets(error) if error else "",
        "sources": sorted(config.sources),
        "explanation": explanation,
        "format": _format,
        "problem": problem,
        "body": asked.field("body"),
        "source": asked.field("source"),
        "event": asked.text("event"),
    }
    return Content(template="routes.html", title=message("Routes"), values=values, status=status)


def _format(request: Json) -> str:
    shown = mask_people_in_json(request)
    return mask_people(shown) if isinstance(shown, str) else msgspec.json.format(msgspec.json.encode(shown)).decode()
