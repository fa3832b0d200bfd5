"""Register the relay's address as a webhook of an amoCRM account."""

from collections.abc import Sequence

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.hooks import HookDiff, diff_hooks, enable_hook, list_hooks, set_hook
from relay.masking import mask_secrets
from relay.model import Record


class HookRegistration(Record):
    """What registering changed, or would change in a dry run. Tokens in its addresses are masked."""

    url: str
    events: Sequence[str]
    change: HookDiff
    disabled: bool  # still disabled afterwards: amoCRM sends nothing


async def register_hook(
    client: AccountClient, address: str, events: frozenset[str], *, enable: bool, dry_run: bool
) -> HookRegistration:
    """Register an address for these events, and with `enable` enable it where amoCRM has disabled it.

    Changes nothing where the account's webhook is as it should be. Raises as the client does.
    """
    diff = diff_hooks(await list_hooks(client), address, events)
    accepted = events - frozenset(diff.unknown)
    if diff.disabled and enable and not dry_run:
        await enable_hook(client, address, accepted)
    elif diff.needs_update and not dry_run:
        await set_hook(client, address, accepted)
    return HookRegistration(
        url=mask_secrets(address),
        events=sorted(accepted),
        change=msgspec.structs.replace(diff, strays=[mask_secrets(url) for url in diff.strays]),
        disabled=diff.disabled and (dry_run or not enable),
    )
