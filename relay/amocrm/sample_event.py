"""An event as amoCRM would send it, made up: what an application is sent to see whether it listens. Pure."""

from relay.amocrm.event_names import EVENTS
from relay.model import Account, Event, Value

_ID = "1"


def sample_event(name: str, source: str, account: Account, id: str, now: int) -> Event:
    """Return an event of a name in EVENTS, about a thing that does not exist. `now`: epoch milliseconds."""
    kind, seconds = EVENTS[name], str(now // 1000)
    fields: dict[str, Value] = {"id": _ID, "name": "amo-relay: test", "date_create": seconds, "last_modified": seconds}
    fields |= {"created_user_id": "0", "modified_user_id": "0", "responsible_user_id": "0"}
    if account.id:
        fields["account_id"] = account.id
    if kind.entity == "lead":
        fields |= {"status_id": "142", "old_status_id": "141", "pipeline_id": "1", "price": "0"}
    if kind.entity in ("task", "message", "outgoing_message"):
        fields["text"] = "amo-relay: test"
    if kind.entity == "talk":
        fields["talk_id"] = _ID
    if kind.action == "note":
        fields = {"note": {"id": _ID, "element_id": _ID, "text": "amo-relay: test", "date_create": seconds}}
    return Event(
        id=f"{id}.0",
        receipt_id=id,
        index=0,
        source=source,
        name=name,
        entity=kind.entity,
        action=kind.action,
        entity_id=_ID,
        account=account,
        data=fields,
        received_at=now,
    )
