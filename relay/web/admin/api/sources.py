"""Sources of the JSON API: how they stand."""

from collections.abc import Sequence

from relay.model import Record
from relay.operations.sources import SourceStatus, list_sources, read_source
from relay.web.admin.api.operation import Call, Operation, Operations


class Sources(Record):
    """How all sources of the configuration stand."""

    items: Sequence[SourceStatus]


async def list_all(call: Call) -> Sources:
    """Answer how the sources stand."""
    return Sources(items=await list_sources(call.reader, call.live.config, call.settings.config_path))


async def show(call: Call) -> SourceStatus:
    """Answer how a source stands."""
    return await read_source(call.reader, call.live.config, call.part("name"), call.settings.config_path)


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/sources", summary="List the sources: last hook, rhythm, hook in the account, events.",
        handler=list_all, answer=Sources, command="sources list",
    ),
    Operation(
        method="GET", path="/sources/{name}", summary="Show a source.", handler=show, answer=SourceStatus, finds=True,
        command="sources show",
    ),
)  # fmt: skip
