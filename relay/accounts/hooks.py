"""The account's webhooks: which there are, and what must change so that ours is one of them."""

from collections.abc import Iterable, Sequence, Set
from urllib.parse import urlsplit

from relay.accounts.answers import JsonObject
from relay.accounts.client import AccountClient, embedded_items
from relay.amocrm.events import SUBSCRIBABLE
from relay.errors import AccountRefused
from relay.model import Record

_PATH = "/api/v4/webhooks"


class AccountHook(Record):
    """A webhook of the account. A disabled one is sent nothing until somebody lifts that."""

    url: str
    events: frozenset[str]
    disabled: bool


class HookDiff(Record):
    """What connecting changes. `new`: there was no such hook."""

    new: bool
    added: Sequence[str]
    removed: Sequence[str]
    disabled: bool
    unknown: Sequence[str]  # wanted, and amoCRM has no subscription to them
    strays: Sequence[str]  # other addresses of hooks that lead to this source

    @property
    def needed(self) -> bool:
        """Return whether the hook's events are not what they should be."""
        return self.new or bool(self.added or self.removed)


async def list_hooks(client: AccountClient) -> Sequence[AccountHook]:
    """List the account's webhooks: at most 100, on one page. Raises as the client does."""
    return [_hook(item) for item in embedded_items(await client.get(_PATH), "webhooks") if "destination" in item]


async def set_hook(client: AccountClient, url: str, events: Set[str]) -> AccountHook:
    """Make a webhook; where the address has one, its events become these. Raises as the client does."""
    answer = await client.post(_PATH, {"destination": url, "settings": sorted(events)})
    return _hook(answer or {"destination": url, "settings": sorted(events)})


async def remove_hook(client: AccountClient, url: str) -> None:
    """Remove a webhook; one that is not there is no error. Raises as the client does."""
    await client.delete(_PATH, {"destination": url})


async def enable_hook(client: AccountClient, url: str, events: Set[str]) -> None:
    """Lift `disabled`: set the hook once more, and where that is not enough make it anew. Raises as the client does.

    Killed between removing and making, it leaves no hook: `relay connect` once more makes it.
    """
    if not (await set_hook(client, url, events)).disabled:
        return
    await remove_hook(client, url)
    if (await set_hook(client, url, events)).disabled:
        raise AccountRefused("amoCRM leaves the hook disabled: turn it on in the account, under Settings, Integrations")


def diff_hooks(hooks: Iterable[AccountHook], url: str, wanted: Set[str]) -> HookDiff:
    """Compare the account's hooks with what is wanted of ours. Pure."""
    known = frozenset(SUBSCRIBABLE)
    ours = next((hook for hook in hooks if hook.url == url), None)
    events = ours.events if ours else frozenset()
    return HookDiff(
        new=ours is None,
        added=sorted((wanted & known) - events),
        removed=sorted(events - wanted),
        disabled=ours is not None and ours.disabled,
        unknown=sorted(wanted - known),
        strays=sorted(hook.url for hook in hooks if hook.url != url and _leads_to(hook.url, url)),
    )


def _leads_to(other: str, url: str) -> bool:
    """Return whether an address is ours but for its token: the path up to it is the same."""
    return urlsplit(other).path.rpartition("/")[0] == urlsplit(url).path.rpartition("/")[0]


def _hook(item: JsonObject) -> AccountHook:
    return AccountHook(
        url=str(item["destination"]),
        events=frozenset(str(event) for event in item.get("settings") or ()),
        disabled=bool(item.get("disabled")),
    )
