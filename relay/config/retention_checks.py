"""Check what `retention` says of single sources."""

from relay.config.report import Report
from relay.config.sections import Sections
from relay.config.suggestions import did_you_mean


def check_retention(sections: Sections, report: Report) -> None:
    """Report the sources of `retention` that there are not."""
    for name in sections.retention.sources:
        if name not in sections.source_names:
            message = f"unknown source {name}, {did_you_mean(name, sections.source_names)}"
            report.key_error(("retention", "sources", name), message)
