"""The page System: the store, the workers, the queues, the configuration, and all that the doctor examines."""

from relay.operations.examination import examine
from relay.operations.headroom import YEAR_MS, Forecast
from relay.operations.problems import diagnose_all
from relay.operations.system import describe_system, forecast_of
from relay.timefmt import format_duration
from relay.translation.messages import UiText, message
from relay.web.admin.content import Content
from relay.web.admin.page_request import PageRequest


async def show(asked: PageRequest) -> Content:
    """Show how the relay itself stands."""
    services, config = asked.services, asked.services.live.config
    examination = await examine(services.reader, config.sources_with_api)
    return Content(
        template="system.html",
        title=message("System"),
        values={
            "system": describe_system(examination, config, await services.reader.jobs()),
            "ahead": _say_forecast(forecast_of(examination)),
            "found": examination,
            "diagnoses": diagnose_all(examination, config, services.live.error),
            "config": config,
            "config_error": services.live.error,
            "retention": config.retention,
        },
    )


def _say_forecast(ahead: Forecast | None) -> UiText | str:
    if ahead is None:
        return ""
    if ahead.full_in_ms is None or ahead.full_in_ms > YEAR_MS:
        return ahead.describe()
    return message("full in about {time} at this rate", time=format_duration(ahead.full_in_ms))
