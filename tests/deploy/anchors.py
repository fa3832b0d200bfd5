"""The anchors of a page in Markdown, as GitHub and most others make them of its headings."""

import re


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    outside_code = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", outside_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
