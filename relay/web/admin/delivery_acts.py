"""What a person does to deliveries on a page: to one of a story, or to those that are marked in a list."""

from collections.abc import Sequence
from typing import Final

from relay.operations.acts import ActResult, TodaysActs, act_on_deliveries
from relay.store.acts import Act
from relay.store.put_off_rows import read_listed
from relay.store.stored import StoredDelivery
from relay.translation.messages import UiText, counted, message
from relay.web.admin.content import Done
from relay.web.admin.page_request import PageRequest
from relay.web.admin.possible_acts import version_of

MOST: Final = 200  # in one form: more are a bulk action
_OFFERED: Final = (Act.RETRY, Act.CANCEL, Act.CONFIRM, Act.RESEND, Act.RENDER)


async def act_on_marked(asked: PageRequest) -> Done:
    """Do it to each delivery of the form that is still as the page showed it."""
    back, act = asked.field("back"), asked.field("act")
    marked = dict(row.partition(" ")[::2] for row in asked.fields("delivery"))
    if act not in _OFFERED:
        return Done(lines=[message("There is no such act.")], to=back, ok=False)
    if not marked:
        return Done(lines=[message("Nothing is marked: mark rows first, by x or by their boxes.")], to=back, ok=False)
    if len(marked) > MOST:
        return Done(lines=[message("Mark {n} at most.", n=MOST)], to=back, ok=False)
    found = await _find(asked, list(marked))
    same = [id for id, version in marked.items() if id in found and version_of(found[id]) == version]
    changed = [_changed(id, found.get(id)) for id in marked if id not in same]
    results = await _act(asked, Act(act), same)
    return Done(lines=[*_lines(results), *changed], to=back, ok=not changed and all(result.done for result in results))


async def _find(asked: PageRequest, ids: Sequence[str]) -> dict[str, StoredDelivery]:
    reader, store = asked.services.reader, asked.services.store
    found = {one.id: one for one in await reader.deliveries(ids)}
    if missing := [id for id in ids if id not in found]:
        put_off = await store.put_off.find_all(missing)
        found |= {one.id: one for one in await read_listed(reader, [row.member for row in put_off.values()])}
    return found


async def _act(asked: PageRequest, act: Act, ids: Sequence[str]) -> list[ActResult]:
    services = asked.services
    if act is Act.RENDER:
        today = TodaysActs(services.store, services.reader, services.live.config)
        return [await today.render(id, asked.author) for id in ids]
    return await act_on_deliveries(services.store, ids, act, asked.author)


def _changed(id: str, now: StoredDelivery | None) -> UiText:
    if now is None:
        return message("{id}: nothing was done: it is gone, retention may have removed it.", id=id)
    state = UiText(text=now.state)
    return message("{id}: nothing was done: it has changed since you looked, and is {state} now.", id=id, state=state)


def _lines(results: Sequence[ActResult]) -> list["UiText | str"]:
    """Say what came of it: in a line for all that went alike."""
    alike: dict[str, list[str]] = {}
    for result in results:
        alike.setdefault(result.message, []).append(result.id)
    return [
        message("{id}: {what}", id=ids[0], what=UiText(text=what))
        if len(ids) == 1
        else counted("{n} delivery: {what}", "{n} deliveries: {what}", len(ids), what=UiText(text=what))
        for what, ids in alike.items()
    ]
