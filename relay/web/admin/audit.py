"""The page Audit: who did what, why and when."""

import re
from urllib.parse import urlencode

from relay.operations.audit import AuditFilter, find_audit
from relay.web.admin.content import Content
from relay.web.admin.messages import message
from relay.web.admin.page_request import PageRequest

ROWS = 50
_ENTRY = re.compile(r"\d{1,15}-\d{1,10}", re.ASCII)


async def show(asked: PageRequest) -> Content:
    """List what people did, the newest first."""
    before = asked.text("before")
    filters = AuditFilter(
        by=asked.text("by"), act=asked.text("act"), what=asked.text("what"), limit=ROWS,
        before=before if _ENTRY.fullmatch(before) else "",
    )  # fmt: skip
    page = await find_audit(asked.services.store.acts, filters)
    kept = {name: getattr(filters, name) for name in ("by", "act", "what") if getattr(filters, name)}
    return Content(
        template="audit.html",
        title=message("Audit"),
        values={
            "page": page,
            "filters": filters,
            "filtered": bool(kept),
            "older": f"/admin/audit?{urlencode({**kept, 'before': page.next})}" if page.next else "",
            "unreadable": bool(before) and not filters.before,
        },
    )
