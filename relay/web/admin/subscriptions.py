"""The page Subscriptions: amoCRM's own form for applications, with a test that is sent at once."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from relay.errors import RelayError
from relay.model import Record, Subscription
from relay.store.queues import SinkState
from relay.translation.messages import UiText, message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.event_groups import event_groups
from relay.web.admin.page_request import PageRequest
from relay.web.subscriptions.minting import DEFAULT_LIFETIME, MintedToken, mint_token, parse_lifetime
from relay.web.subscriptions.operator_acts import (
    OperatorActs,
    SampleAnswer,
    get_subscription,
)

HOME: Final = "/admin/subscriptions"


class ListedSubscription(Record):
    """A subscription with the queue of its deliveries; None: it has had none yet."""

    subscription: Subscription
    queue: SinkState | None


class SubscriptionForm(Record):
    """What the form shows: a subscription as it is, or as somebody has filled it in. `id` 0: a new one."""

    id: int = 0
    source: str = ""
    name: str = ""
    url: str = ""
    events: Sequence[str] = ()


async def show(asked: PageRequest) -> Content:
    """List the subscriptions."""
    return await _list(asked, None)


async def _list(asked: PageRequest, minted: MintedToken | None) -> Content:
    services = asked.services
    queues = {sink.name: sink for sink in await services.reader.sinks()}
    listed = [
        ListedSubscription(subscription=one, queue=queues.get(one.sink))
        for one in await services.store.subscriptions.list_all()
    ]
    logins = [user.login for user in services.live.config.api_users]
    values = {"listed": listed, "logins": logins, "minted": minted, "lifetime": DEFAULT_LIFETIME}
    return Content(template="subscriptions.html", title=message("Subscriptions"), values=values)


async def mint(asked: PageRequest) -> Content | Done:
    """Mint a token for a user of the API, and show it once."""
    services = asked.services
    try:
        seconds = parse_lifetime(asked.field("expires_in"))
        minted = mint_token(services.live.config.api_users, asked.field("login"), seconds, int(time.time()))
    except (RelayError, ValueError) as error:
        return Done(lines=[str(error)], to=HOME, ok=False)
    await services.store.acts.note("mint token", f"API user {minted.login}", asked.author)
    return await _list(asked, minted)


async def show_new(asked: PageRequest) -> Content:
    """Show an empty form."""
    sources = list(asked.services.live.config.sources)
    return _form(asked, SubscriptionForm(source=asked.text("source") or (sources[0] if sources else "")))


async def show_one(asked: PageRequest) -> Content:
    """Show a subscription in the form."""
    subscription = await _find(asked)
    return _form(asked, _filled(subscription), subscription)


async def save(asked: PageRequest) -> Done | Content:
    """Save the form. What is wrong with it is said in the form, which keeps what was written."""
    form = SubscriptionForm(
        id=_number(asked.field("id")),
        source=asked.field("source"),
        name=asked.field("name"),
        url=asked.field("url"),
        events=asked.fields("event"),
    )
    before = await asked.services.store.subscriptions.get(form.id) if form.id else None
    if form.id and before is None:
        raise NotThere(message("There is no such subscription any more."))
    source = before.source if before else form.source
    acts, config = _acts(asked), asked.services.live.config
    try:
        saved = await acts.subscribe(config, source, form.url, form.events, form.name, replace=True)
        if before is not None and before.url != saved.url:  # it has another address now
            await acts.unsubscribe(before.id)
    except RelayError as error:
        return _form(asked, form, before, problem=str(error))
    return Done(lines=[message("Saved: {url}", url=saved.url)], to=f"{HOME}/{saved.id}")


async def test(asked: PageRequest) -> Content:
    """Send a sample event at once, and show the answer."""
    subscription, services = await _find(asked), asked.services
    try:
        answer = await _acts(asked).test(
            services.live.config, subscription.id, asked.field("event"), services.settings.proxies
        )
    except RelayError as error:
        return _form(asked, _filled(subscription), subscription, problem=str(error))
    return _form(asked, _filled(subscription), subscription, answer=answer)


async def switch(asked: PageRequest) -> Done:
    """Enable, disable or remove a subscription."""
    subscription, act = await _find(asked), asked.field("act")
    acts, said = _acts(asked), _SWITCHED.get(asked.field("act"))
    if said is None:
        raise NotThere(message("There is no such act."))
    if act == "remove":
        await acts.unsubscribe(subscription.id)
        return Done(lines=[said], to=HOME)
    await (acts.enable if act == "enable" else acts.disable)(subscription.id)
    return Done(lines=[said], to=f"{HOME}/{subscription.id}")


_SWITCHED: Final[Mapping[str, UiText]] = {
    "enable": message("It is enabled: what waits for it leaves now."),
    "disable": message("It is disabled: its deliveries wait."),
    "remove": message("It is removed."),
}


def _acts(asked: PageRequest) -> OperatorActs:
    store = asked.services.store
    return OperatorActs(store.subscriptions, store.acts, asked.author)


def _form(
    asked: PageRequest, form: SubscriptionForm, subscription: Subscription | None = None, *, problem: str = "",
    answer: SampleAnswer | None = None,
) -> Content:  # fmt: skip
    values = {
        "form": form,
        "subscription": subscription,
        "groups": event_groups(),
        "sources": list(asked.services.live.config.sources),
        "problem": problem,
        "answer": answer,
    }
    title = message("Subscription {id}", id=form.id) if form.id else message("New subscription")
    return Content(template="subscription.html", title=title, values=values, status=400 if problem else 200)


def _filled(subscription: Subscription) -> SubscriptionForm:
    return SubscriptionForm(
        id=subscription.id,
        source=subscription.source,
        name=subscription.name,
        url=subscription.url,
        events=sorted(subscription.events),
    )


async def _find(asked: PageRequest) -> Subscription:
    try:
        return await get_subscription(asked.services.store.subscriptions, _number(asked.part("id")))
    except RelayError as error:
        raise NotThere(message("There is no such subscription any more.")) from error


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
