"""Say until when a receipt is kept."""

from relay.config.schema import RetentionSection
from relay.store.kept_ages import kept_ages
from relay.store.reader import Reader
from relay.store.stored import StoredReceipt


async def read_kept_until(reader: Reader, keep: RetentionSection, receipt: StoredReceipt) -> int | None:
    """Return when retention removes a receipt (epoch milliseconds), unless there are too many; None: not yet.

    Raises StoreUnavailable.
    """
    finished_at, has_dead = await reader.finished_at(receipt.id)
    if finished_at is None:
        return None
    found = await reader.deliveries(list(receipt.deliveries))
    own = [str(one.state) for one in found if one.event_id.partition(".")[0] == receipt.id]
    states = ["dead"] if has_dead else own or [str(receipt.state)]
    return finished_at + kept_ages(keep).age_of(receipt.source, states)
