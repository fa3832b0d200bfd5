"""The page System: the store, the workers, the queues, the configuration, and all that the doctor examines."""

from relay import __version__
from relay.operations.examination import Examination, examine
from relay.operations.headroom import YEAR_MS, forecast
from relay.operations.problems import diagnose_all
from relay.timefmt import format_duration
from relay.web.admin.content import Content
from relay.web.admin.messages import UiText, message
from relay.web.admin.page_request import PageRequest


async def show(asked: PageRequest) -> Content:
    """Show how the relay itself stands."""
    services, config = asked.services, asked.services.live.config
    examination = await examine(services.reader, config.sources_with_api)
    return Content(
        template="system.html",
        title=message("System"),
        values={
            "ahead": _describe_forecast(examination),
            "found": examination,
            "jobs": await services.reader.jobs(),
            "diagnoses": diagnose_all(examination, config, services.live.error),
            "config": config,
            "config_error": services.live.error,
            "retention": config.retention,
            "version": __version__,
        },
    )


def _describe_forecast(found: Examination) -> UiText | str:
    """Return when the store is full; empty where it has no limit, or was not read."""
    if found.memory is None or not found.memory.limit:
        return ""
    ahead = forecast(found.memory_samples, found.memory, found.now or 0)
    if ahead.full_in_ms is None or ahead.full_in_ms > YEAR_MS:
        return ahead.describe()
    return message("full in about {time} at this rate", time=format_duration(ahead.full_in_ms))
