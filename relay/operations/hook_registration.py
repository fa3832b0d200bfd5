"""Register the relay's address as a webhook of an amoCRM account."""

from collections.abc import Sequence

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.hooks import HookDiff, diff_hooks, enable_hook, list_hooks, set_hook
from relay.accounts.needed_events import needed_events
from relay.config.config import Config
from relay.errors import ConfigError
from relay.masking import mask_secrets
from relay.model import Record
from relay.operations.hook_address import hook_address
from relay.store.acts import Author
from relay.store.store import Store


class HookRegistration(Record):
    """What registering changed, or would change in a dry run. Tokens in its addresses are masked."""

    url: str
    events: Sequence[str]
    change: HookDiff
    disabled: bool  # still disabled afterwards: amoCRM sends nothing


async def connect_source(
    config: Config, source: str, url: str, client: AccountClient, store: Store, author: Author, *, enable: bool,
    dry_run: bool,
) -> HookRegistration:  # fmt: skip
    """Register the relay, which has this address, as a webhook of a source's account for the events that are needed.

    `enable`: also where amoCRM has disabled it. Changes nothing where the account's webhook is as it should be. What it
    changed stands in the audit. Raises ConfigError where the address is none or no event is needed; as the client does.
    """
    address = hook_address(config, source, url)
    events = needed_events(config, source, await store.subscriptions.list(source))
    if not events:
        raise ConfigError(f"no route is for {source} and nobody subscribes to it: there is no event to register for")
    diff = diff_hooks(await list_hooks(client), address, events)
    accepted = events - frozenset(diff.unknown)
    if not dry_run and await _change(client, address, accepted, diff, enable=enable):
        before = "no hook" if diff.new else "disabled" if diff.disabled else "enabled"
        await store.acts.note("connect", f"source {source}", author, before)
    return _described(address, accepted, diff, disabled=diff.disabled and (dry_run or not enable))


async def _change(
    client: AccountClient, address: str, events: frozenset[str], diff: HookDiff, *, enable: bool
) -> bool:  # fmt: skip
    """Make the account's webhook what it should be. Returns whether anything was to be changed."""
    if diff.disabled and enable:
        await enable_hook(client, address, events)
    elif diff.needs_update:
        await set_hook(client, address, events)
    else:
        return False
    return True


def _described(address: str, accepted: frozenset[str], diff: HookDiff, *, disabled: bool) -> HookRegistration:
    return HookRegistration(
        url=mask_secrets(address),
        events=sorted(accepted),
        change=msgspec.structs.replace(diff, strays=[mask_secrets(url) for url in diff.strays]),
        disabled=disabled,
    )
