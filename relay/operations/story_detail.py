"""Read all that is known of an event or a receipt: its story, what arrived, what was sent, which routes match."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from relay.amocrm.body import decode_body
from relay.amocrm.content_encoding import inflate, is_compressed
from relay.config.config import Config
from relay.errors import Malformed, RelayError
from relay.model import Json, Receipt, Record
from relay.operations.explanation import EventExplanation, Explanation, explain_receipt
from relay.operations.kept_until import read_kept_until
from relay.operations.once_use import check_once_keys
from relay.operations.people_events import add_names_of
from relay.operations.request_description import describe_request
from relay.operations.story import Story, read_event_story
from relay.store.reader import Reader

MOST_RAW: Final = 100_000
"""Characters of a body that are shown."""


class StoryDetail(Record):
    """A story, what arrived for it, the requests of its deliveries, and how today's configuration explains it.

    `raw` is the body as it arrived, unpacked; `decoded` what was read of it, None where it cannot be read. `problem`:
    why there is no explanation. `kept_until`: when retention removes it; None: something of it waits.
    """

    id: str
    story: Story
    raw: str = ""
    decoded: Json = None
    requests: Mapping[str, Json] = {}
    explanation: Explanation | None = None
    problem: str = ""
    kept_until: int | None = None

    @property
    def events(self) -> Sequence[EventExplanation]:
        """The events as they are explained; none where they are not."""
        return self.explanation.events if self.explanation else ()


async def read_story_detail(reader: Reader, config: Config, id: str) -> StoryDetail:
    """Read it for an event ("<receipt>.<index>") or a whole receipt. Raises RelayError where there is none.

    Raises StoreUnavailable.
    """
    story = await read_event_story(reader, id)
    receipt = await reader.raw_receipt(story.receipt.id)
    requests = {
        one.delivery.id: describe_request(config, one.delivery, await reader.content(one.delivery))
        for one in story.deliveries
    }
    kept_until = await read_kept_until(reader, config.retention, story.receipt)
    detail = StoryDetail(id=id, story=story, requests=requests, kept_until=kept_until)
    if receipt is None:
        return replace(detail, problem="its body is gone: retention has removed it")
    _, _, index = id.partition(".")
    add_names_of(receipt)
    raw, decoded = read_body(receipt, config)
    try:
        explanation = await check_once_keys(reader, explain_receipt(receipt, config, index or None))
    except RelayError as error:
        return replace(detail, raw=raw, decoded=decoded, problem=str(error))
    return replace(detail, raw=raw, decoded=decoded, explanation=explanation)


def read_body(receipt: Receipt, config: Config) -> tuple[str, Json]:
    """Return a body as a text, and what was read of it; None where it cannot be read. Pure."""
    body, most = receipt.body, config.ingress.max_body
    try:
        decoded: Json = decode_body(receipt, lambda _: None, most)
        if is_compressed(body, receipt.content_encoding):
            body = inflate(body, receipt.content_encoding, most, lambda _: None)
    except Malformed:
        decoded = None
    text = body.decode(errors="replace")
    return text[:MOST_RAW], decoded
