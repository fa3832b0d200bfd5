"""Erase a person: look through all hooks, the oldest first, then see to it that the sinks are asked to forget them.

A step that is repeated, after a worker was killed, finds erased what it erased, and asks nobody twice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from relay.config.config import Config
from relay.errors import ConfigError
from relay.facts.kinds import OWN_SOURCE
from relay.model import DeliveryState, Receipt, ReceiptState, RoutedReceipt
from relay.operations.action_step import ENDED, ActionStep
from relay.operations.actions import ActionRequest, ErasedPerson
from relay.operations.people_asking import Asking, SinkAsker
from relay.operations.people_erasure import Speaking, erase_asked, facts_of, find_speaking, is_unread, make_erasure
from relay.operations.people_events import Person, PersonMatch
from relay.operations.people_keys import PeopleKey
from relay.secret import SecretStr
from relay.sinks.registry import make_sinks
from relay.store.actions import StoredAction
from relay.store.acts import Act, Author
from relay.store.erasing import ErasureAnswer
from relay.store.fields import DeliveryField, ReceiptField
from relay.store.packing import ReceiptRecords
from relay.store.people import PeopleIndex, Reach
from relay.store.raw_receipts import RawReceipts
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.stored import read_packed_receipt, receipt_of_content
from relay.store.wire.acts import ActionItemRow
from relay.store.wire.lists import Cursor
from relay.timefmt import format_time

NOT_ASKED: Final = "not asked"
"""The result of a delivery whose sink cannot be asked, as the script that erases notes it."""
UNREAD: Final = "unread"
"""The result of a quarantined hook that is compressed: maybe to inflate it is what killed its workers."""
ASKED: Final = "new"
"""The result of a delivery that asks a sink, as the script that makes deliveries notes it."""
_ASKING: Final = "asking"  # how the cursor behind the last hook begins; then how many sinks have answered
_PAGE: Final = 500
_OPEN: Final = (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.DEAD)
_WAIT_MS: Final = 5_000
_CURSOR: Final = msgspec.json.Decoder(Cursor)


class ErasureWork:
    """Does steps of erasures by one configuration. Its methods raise StoreUnavailable."""

    def __init__(self, store: Store, config: Config, secret_key: SecretStr | None) -> None:
        self._store = store
        self._config = config
        self._secret_key = secret_key
        self._reader = Reader(store.client, store.namespace)
        self._hooks = PeopleIndex(store.client, store.namespace)
        self._raw = RawReceipts(store.client, store.keys)

    async def step(self, action: StoredAction, request: ActionRequest, most: int) -> ActionStep:
        """Erase a person from the next hooks. Raises ConfigError where the person is not known any more."""
        assert request.person is not None
        key = self._key(action, request.person)
        person = Person(hashes=frozenset(request.person.hashes), entities=frozenset(request.person.entities))
        match = PersonMatch(person, key)
        if action.cursor.startswith(_ASKING):
            return await self._see_to_asked(action, match)
        after = _CURSOR.decode(action.cursor) if action.cursor else Cursor(0, "")
        reach = Reach(score=after.score, member=after.member)
        found = await self._hooks.arrivals(reach, await self._reader.now(), most)
        if not found:
            return await self._save(action, _ASKING, 0)
        return await self._erase(action, match, key, found, request.filter.until or 0)

    def _key(self, action: StoredAction, person: ErasedPerson) -> PeopleKey:
        secret = SecretStr(action.secret) if action.secret else self._secret_key
        key = None if secret is None else PeopleKey(secret)
        if key is None or key.name != person.key:
            raise ConfigError(
                "the worker has another RELAY_SECRET_KEY than the one who started this, so it cannot know whom it is"
                " about: give both the same, and start it again"
            )
        return key

    async def _erase(
        self, action: StoredAction, match: PersonMatch, key: PeopleKey, found: Sequence[tuple[str, int]], until: int
    ) -> ActionStep:
        """Erase a person from hooks; of those that came after a time only the relay's own facts, of earlier ones."""
        read = await self._store.packing.read_records([id for id, _ in found])
        late = {id for id, at in found if at > until}
        records = {
            one.id: one
            for one in read
            if one.id not in late or one.fields[ReceiptField.SOURCE.encode()] == OWN_SOURCE.encode()
        }
        receipts = await self._receipts(list(records.values()))
        speaking = await asyncio.to_thread(
            lambda: {id: one for id, records in records.items() if (one := find_speaking(records, receipts[id], match))}
        )
        asker = await self._asker(action, match, key) if speaking else None
        for looked, (id, _) in enumerate(found):
            if id not in speaking:
                continue
            assert asker is not None
            waits = await self._erase_receipt(action, match, asker, id)
            if waits == _STOPPED:
                return ActionStep(stopped=True)
            if waits:
                return await self._wait(action, found[:looked], waits)
        last_id, last_at = found[-1]
        unread = [
            ActionItemRow(id, UNREAD)
            for id, one in records.items()
            if id not in speaking and is_unread(one, receipts[id])
        ]
        return await self._save(action, _written(Cursor(last_at, last_id)), len(found), unread)

    async def _receipts(self, records: Sequence[ReceiptRecords]) -> dict[str, Receipt]:
        """Return receipts as they arrived, the facts among them with the hooks that they refer to."""
        receipts = [read_packed_receipt(one) for one in records]
        return {one.id: one for one in await self._raw.add_originals(receipts)}

    async def _wait(self, action: StoredAction, done: Sequence[tuple[str, int]], waits: str) -> ActionStep:
        """Write how far it has come, and for what it waits: it goes on from there."""
        cursor = _written(Cursor(done[-1][1], done[-1][0])) if done else action.cursor
        await self._store.actions.save_progress(action, cursor, len(done), waits=waits)
        return ActionStep(waits=waits)

    async def _save(
        self, action: StoredAction, cursor: str, looked: int, rows: Sequence[ActionItemRow] = ()
    ) -> ActionStep:
        await self._store.actions.save_progress(action, cursor, looked, rows)
        return ActionStep(items=looked, ended=cursor == ENDED)

    async def _asker(self, action: StoredAction, match: PersonMatch, key: PeopleKey) -> SinkAsker:
        subscriptions = {one.sink: one for one in await self._store.subscriptions.list_all()}
        allowed = self._config.subscribers.allowed_events
        return SinkAsker(action.id, make_sinks(self._config), subscriptions, key, match, allowed)

    async def _erase_receipt(self, action: StoredAction, match: PersonMatch, asker: SinkAsker, id: str) -> str:
        """Erase a person from a hook and what belongs to it. Returns for what it waits; empty where it is done.

        The facts that refer to it come first: none is routed by a hook that says nothing any more.
        """
        answer = ""
        while answer not in ("done", "gone", _STOPPED):
            found = await self._store.packing.read_records([id])
            receipts = await self._receipts(found)
            speaking = await asyncio.to_thread(find_speaking, found[0], receipts[id], match) if found else None
            if speaking is None:
                return ""  # it is erased, or retention was faster
            for fact in facts_of(speaking):
                if waits := await self._erase_receipt(action, match, asker, fact):
                    return waits
            if waits := await self._end_open(action, found[0], speaking):
                return waits
            asking = asker.ask(found[0], speaking)
            if await self._ask(action, speaking, asking):
                continue  # it has another delivery now: it is read anew
            erasure = await asyncio.to_thread(make_erasure, found[0], speaking, match)
            erasure = replace(erasure, not_asked=asking.not_asked)
            answer = await self._store.erasing.erase(erasure, action.id)
        return _STOPPED if answer == _STOPPED else ""

    async def _end_open(self, action: StoredAction, records: ReceiptRecords, speaking: Speaking) -> str:
        """Cancel what of them is to be sent, or may be sent again. Returns for what it waits."""
        if records.fields[ReceiptField.STATE.encode()] == ReceiptState.ACCEPTED.encode():
            return f"hook {records.id} is not routed yet"
        author = Author(by=action.by, why=f"a person is erased, action {action.id}")
        await self._cancel_put_off(records, speaking, author)
        ids = [
            id for id, one in speaking.deliveries.items() if one.fields[DeliveryField.STATE.encode()].decode() in _OPEN
        ]
        for id in ids:
            await self._store.acts.act_on_delivery(id, Act.CANCEL, author)
        for one in await self._reader.deliveries(ids):
            if one.state is DeliveryState.PENDING:
                until = format_time(one.leased_until or await self._reader.now())
                return f"delivery {one.id} to {one.sink} is in flight, at most until {until}: it is erased behind that"
        return ""

    async def _cancel_put_off(self, records: ReceiptRecords, speaking: Speaking, author: Author) -> None:
        put_off: dict[str, set[str]] = {}
        for name, of_sink in records.fields.items():
            if name.startswith(ReceiptField.PUT_OFF.encode()):
                id = name.decode().removeprefix(ReceiptField.PUT_OFF)
                if records.fields.get(f"{ReceiptField.DELIVERY}{id}".encode(), b"").decode() in speaking.indexes:
                    put_off.setdefault(of_sink.decode(), set()).add(id)
        for sink, ids in put_off.items():
            for one in (await self._store.put_off.find_all(ids, [sink])).values():
                await self._store.put_off.cancel(one, author)

    async def _ask(self, action: StoredAction, speaking: Speaking, asking: Asking) -> bool:
        """Make the deliveries that ask the sinks. Returns whether any was made."""
        if not asking.deliveries:
            return False
        part = RoutedReceipt(
            receipt=speaking.receipt,
            state=ReceiptState.ROUTED,
            reason="",
            config=self._config.version,
            events=[],
            deliveries=asking.deliveries,
            last=False,
        )
        answer = await self._store.acts.replay(part, Author(by=action.by, why=action.why, action=action.id))
        return answer.made > 0

    async def _see_to_asked(self, action: StoredAction, match: PersonMatch) -> ActionStep:
        """Wait until the sinks have answered, and erase with what they were asked."""
        ids = [id async for id in self._asked(action)]
        found = await self._reader.deliveries(ids)
        waiting = [one for one in found if one.state in _OPEN]
        answered = max(len(found) - len(waiting), int(action.cursor.removeprefix(_ASKING) or 0))
        if lost := len(ids) - len(waiting) - answered:
            raise ConfigError(
                f"{lost} sinks are not known to have forgotten them: retention has removed what asked them before it"
                " arrived; ask them by hand"
            )
        if waiting:
            first = waiting[0]
            waits = f"{len(waiting)} sinks are still to be asked, {first.sink}: delivery {first.id} is {first.state}"
            await self._store.actions.save_progress(action, f"{_ASKING} {answered}", 0, waits=waits)
            return ActionStep(waits=waits, wait_ms=_WAIT_MS)
        by_receipt: dict[str, list[str]] = {}
        for one in found:
            by_receipt.setdefault(receipt_of_content(one.content_id), []).append(one.id)
        for receipt, of_receipt in by_receipt.items():
            if await self._erase_asked(action, match, receipt, dict.fromkeys(of_receipt)) == "open":
                return ActionStep(waits=f"one of what asks its sinks in hook {receipt} was sent again")
        return await self._save(action, ENDED, 0)

    async def _asked(self, action: StoredAction) -> AsyncIterator[str]:
        """Yield the deliveries that this action made."""
        last = 0
        while items := await self._store.actions.items(action.id, _PAGE, last):
            for one in items:
                if one.result == ASKED:
                    yield one.id
            last = items[-1].number

    async def _erase_asked(
        self, action: StoredAction, match: PersonMatch, receipt: str, ids: Mapping[str, object]
    ) -> ErasureAnswer:
        answer: ErasureAnswer = "changed"
        while answer in ("changed", "packed"):
            records = await self._store.packing.read_records([receipt])
            if not records:
                return "gone"
            erasure = await asyncio.to_thread(erase_asked, records[0], ids, match)
            answer = await self._store.erasing.erase(erasure, action.id)
        return answer


_STOPPED: Final = "stopped"


def _written(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()
