"""What the texts of a route are written in, by the settings of the sinks that it goes to."""

from collections.abc import Mapping

from relay.config.report import Report
from relay.config.schema import RouteSettings
from relay.config.sink import SinkSettings
from relay.errors import YamlPath
from relay.rendering import Markup


def content_markup(
    key: str, route: RouteSettings, sinks: Mapping[str, SinkSettings], path: YamlPath, report: Report
) -> Markup | None:
    """Return what a content key is written in; None: plain text. Sinks of one route that differ in it are reported."""
    found = {name: sinks[name].markup(key) for name in route.to if name in sinks}
    if len(set(found.values())) > 1:
        named = ", ".join(f"{name}: {markup or 'plain text'}" for name, markup in found.items())
        report.key_error((*path, key), f"{key}: its sinks want it written differently ({named}): make a route for each")
    return next(iter(found.values()), None)
