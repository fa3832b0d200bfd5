"""The account's webhooks: list, set and remove them, and compare them with what the relay needs."""

from collections.abc import Iterable, Sequence, Set
from urllib.parse import urlsplit

from relay.accounts.answers import JsonObject
from relay.accounts.client import AccountClient, embedded_items
from relay.amocrm.event_names import SUBSCRIBABLE
from relay.errors import AccountRefused
from relay.model import Record

_PATH = "/api/v4/webhooks"


class AccountHook(Record):
    """A webhook of the account. amoCRM sends nothing to a disabled one until it is enabled again."""

    url: str
    events: frozenset[str]
    disabled: bool


class HookDiff(Record):
    """What must change so that our hook is right. `new`: there is no such hook."""

    new: bool
    added: Sequence[str]
    removed: Sequence[str]
    disabled: bool
    unknown: Sequence[str]  # events that are needed, and that amoCRM has no subscription to
    strays: Sequence[str]  # addresses of other hooks that send to this source

    @property
    def needs_update(self) -> bool:
        """Return whether the hook is missing, or its events are not what they should be."""
        return self.new or bool(self.added or self.removed)


async def list_hooks(client: AccountClient) -> Sequence[AccountHook]:
    """List the account's webhooks: at most 100, on one page. Raises as the client does."""
    return [_hook(item) for item in embedded_items(await client.get(_PATH), "webhooks") if "destination" in item]


async def set_hook(client: AccountClient, url: str, events: Set[str]) -> AccountHook:
    """Create the webhook of an address, or replace its events. Raises as the client does."""
    answer = await client.post(_PATH, {"destination": url, "settings": sorted(events)})
    return _hook(answer or {"destination": url, "settings": sorted(events)})


async def remove_hook(client: AccountClient, url: str) -> None:
    """Remove a webhook; one that is not there is no error. Raises as the client does."""
    await client.delete(_PATH, {"destination": url})


async def enable_hook(client: AccountClient, url: str, events: Set[str]) -> None:
    """Enable a webhook: set it again, and where that is not enough create it anew. Raises as the client does.

    A process that is killed between removing and creating it leaves no hook: `relay connect` creates it again.
    """
    if not (await set_hook(client, url, events)).disabled:
        return
    await remove_hook(client, url)
    if (await set_hook(client, url, events)).disabled:
        raise AccountRefused("amoCRM leaves the hook disabled: turn it on in the account, under Settings, Integrations")


def diff_hooks(hooks: Iterable[AccountHook], url: str, events: Set[str]) -> HookDiff:
    """Compare the account's hooks with the address and the events that ours should have. Pure."""
    known = frozenset(SUBSCRIBABLE)
    ours = next((hook for hook in hooks if hook.url == url), None)
    registered = ours.events if ours else frozenset()
    return HookDiff(
        new=ours is None,
        added=sorted((events & known) - registered),
        removed=sorted(registered - events),
        disabled=ours is not None and ours.disabled,
        unknown=sorted(events - known),
        strays=sorted(hook.url for hook in hooks if hook.url != url and _is_same_but_token(hook.url, url)),
    )


def _is_same_but_token(other: str, url: str) -> bool:
    """Return whether two addresses differ in nothing but the host and the token at the end of the path."""
    return urlsplit(other).path.rpartition("/")[0] == urlsplit(url).path.rpartition("/")[0]


def _hook(item: JsonObject) -> AccountHook:
    return AccountHook(
        url=str(item["destination"]),
        events=frozenset(str(event) for event in item.get("settings") or ()),
        disabled=bool(item.get("disabled")),
    )
