"""The page System: the store, the workers, the queues, the configuration, and all that the doctor examines."""

from relay.operations.examination import examine
from relay.operations.problems import diagnose_all
from relay.operations.system import describe_system, forecast_of
from relay.translation.messages import message
from relay.web.admin.content import Content
from relay.web.admin.page_request import PageRequest


async def show(asked: PageRequest) -> Content:
    """Show how the relay itself stands."""
    services, config = asked.services, asked.services.live.config
    examination = await examine(services.reader, config.sources_with_api)
    ahead = forecast_of(examination)
    return Content(
        template="system.html",
        title=message("System"),
        values={
            "system": describe_system(examination, config, await services.reader.jobs()),
            "ahead": ahead.describe() if ahead else "",
            "found": examination,
            "diagnoses": diagnose_all(examination, config, services.live.error),
            "config": config,
            "config_error": services.live.error,
            "retention": config.retention,
        },
    )
