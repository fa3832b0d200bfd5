"""The page Audit: who did what, why and when."""

from typing import Final

from relay import timefmt
from relay.errors import RelayError
from relay.operations.actions import ActionAct
from relay.operations.audit import AuditFilter, find_audit, is_entry
from relay.store.acts import Act
from relay.translation.messages import message
from relay.web.admin.content import Content
from relay.web.admin.page_request import PageRequest

ROWS = 50
ACTS: Final = (
    *Act, *ActionAct, "start", "finish", "replay", "catch-up", "erase", "expire", "reveal", "connect", "names",
    "mint token", "subscribe", "unsubscribe", "enable", "disable", "test", "see", "mute", "unmute",
    "add-shard", "move-source",
)  # fmt: skip
"""What entries name; one that begins an action names its kind behind "start"."""

_PLACES: Final = {
    "delivery": "deliveries", "sink": "sinks", "subscription": "subscriptions", "action": "actions", "event": "events",
    "receipt": "events", "source": "sources",
}  # fmt: skip


async def show(asked: PageRequest) -> Content:
    """List what people did, the newest first."""
    before = asked.text("before")
    filters = AuditFilter(
        by=asked.text("by"), act=asked.text("act"), what=asked.text("what"),
        since=await _read_time(asked, "since"), until=await _read_time(asked, "until"), limit=ROWS,
        before=before if is_entry(before) else "",
    )  # fmt: skip
    page = await find_audit(asked.services.store.acts, filters)
    return Content(
        template="audit.html",
        title=message("Audit"),
        values={
            "page": page,
            "acts": ACTS,
            "places": _PLACES,
            "filters": filters,
            "times": {"since": asked.text("since"), "until": asked.text("until")},
            "filtered": any(asked.text(name) for name in ("by", "act", "what", "since", "until")),
            "older": asked.link(before=page.next) if page.next else "",
            "unreadable": bool(before) and not filters.before,
        },
    )


async def _read_time(asked: PageRequest, name: str) -> int | None:
    text = asked.text(name)
    if not text:
        return None
    try:
        return timefmt.parse_time(text, await asked.services.reader.now())
    except (ValueError, OverflowError) as error:
        raise RelayError(f"{name}: {error}") from error
