"""The page Audit: who did what, why and when."""

from relay import timefmt
from relay.errors import RelayError
from relay.operations.audit import AuditFilter, find_audit, is_entry
from relay.translation.messages import message
from relay.web.admin.content import Content
from relay.web.admin.page_request import PageRequest

ROWS = 50


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
