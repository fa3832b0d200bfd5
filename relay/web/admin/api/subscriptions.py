"""Subscriptions of the JSON API: the same records as those of the amoCRM-compatible API."""

import time
from collections.abc import Sequence
from typing import Annotated

import msgspec

from relay.errors import RelayError
from relay.model import Record, Subscription
from relay.web.admin.api.operation import (
    BAD_REQUEST,
    NOT_FOUND,
    ActBody,
    ApiFailure,
    Call,
    Operation,
    Operations,
)
from relay.web.admin.api.queries import Reveal
from relay.web.subscriptions.minting import DEFAULT_LIFETIME, MintedToken, mint_token, parse_lifetime
from relay.web.subscriptions.operator_acts import (
    OperatorActs,
    SampleAnswer,
    get_subscription,
)
from relay.web.subscriptions.requests import MAX_EVENTS

Events = Annotated[Sequence[str], msgspec.Meta(max_length=MAX_EVENTS)]


class SubscriptionQuery(Reveal):
    """Which subscriptions to list."""

    source: str = ""


class SubscriptionList(Record):
    """The subscriptions, in the order of each source."""

    items: Sequence[Subscription]


class SubscribeBody(ActBody):
    """An address and its events. Where it is subscribed already they are added, or with `replace` take their place."""

    url: str
    events: Events
    source: str = ""
    name: str = ""
    replace: bool = False


class UnsubscribeBody(ActBody):
    """The events to take away; none: the whole subscription is removed."""

    events: Events = ()


class SampleBody(ActBody):
    """The event that a sample is sent of; empty: the first one of the subscription."""

    event: str = ""


class TokenBody(ActBody):
    """A user of `api_users`, and for how long the token is good: 1d to 1826d."""

    login: str
    expires_in: str = DEFAULT_LIFETIME


class Unsubscribed(Record):
    """What is left of the subscription; null: it is removed."""

    subscription: Subscription | None


async def list_all(call: Call) -> SubscriptionList:
    """Answer the subscriptions."""
    return SubscriptionList(items=await call.store.subscriptions.list_all(call.query.source))


async def show(call: Call) -> Subscription:
    """Answer a subscription."""
    return await get_subscription(call.store.subscriptions, _id(call))


async def subscribe(call: Call) -> Subscription:
    """Subscribe an address."""
    body, config = call.body, call.live.config
    source = body.source or (next(iter(config.sources)) if len(config.sources) == 1 else "")
    return await _acts(call).subscribe(config, source, body.url, body.events, body.name, replace=body.replace)


async def unsubscribe(call: Call) -> Unsubscribed:
    """Remove a subscription, or events of it."""
    return Unsubscribed(subscription=await _acts(call).unsubscribe(await _existing(call), call.body.events))


async def enable(call: Call) -> Subscription:
    """Enable a subscription."""
    return await _acts(call).enable(await _existing(call))


async def disable(call: Call) -> Subscription:
    """Disable a subscription."""
    return await _acts(call).disable(await _existing(call))


async def test(call: Call) -> SampleAnswer:
    """Send a sample event at once."""
    return await _acts(call).test(call.live.config, await _existing(call), call.body.event, call.settings.proxies)


async def mint(call: Call) -> MintedToken:
    """Mint a token."""
    try:
        seconds = parse_lifetime(call.body.expires_in)
    except ValueError as error:
        raise ApiFailure(BAD_REQUEST, f"expires_in: {error}") from error
    minted = mint_token(call.live.config.api_users, call.body.login, seconds, int(time.time()))
    await call.store.acts.note("mint token", f"API user {minted.login}", call.author)
    return minted


def _acts(call: Call) -> OperatorActs:
    return OperatorActs(call.store.subscriptions, call.store.acts, call.author)


def _id(call: Call) -> int:
    text = call.part("id")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ApiFailure(NOT_FOUND, f"no subscription {text[:60]}: its id is a number")
    return int(text)


async def _existing(call: Call) -> int:
    try:
        return (await get_subscription(call.store.subscriptions, _id(call))).id
    except RelayError as error:
        raise ApiFailure(NOT_FOUND, str(error)) from error


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/subscriptions", summary="List subscriptions.", handler=list_all, answer=SubscriptionList,
        query=SubscriptionQuery, people=True, command="subscriptions list",
    ),
    Operation(
        method="POST", path="/subscriptions", summary="Subscribe an address, and enable it.", handler=subscribe,
        answer=Subscription, body=SubscribeBody, acts=True, command="subscriptions add",
    ),
    Operation(
        method="GET", path="/subscriptions/{id}", summary="Show a subscription.", handler=show, answer=Subscription,
        finds=True, command="subscriptions list",
    ),
    Operation(
        method="POST", path="/subscriptions/{id}/remove", summary="Remove a subscription, or some of its events.",
        handler=unsubscribe, answer=Unsubscribed, body=UnsubscribeBody, acts=True, finds=True,
        command="subscriptions remove",
    ),
    Operation(
        method="POST", path="/subscriptions/{id}/enable", summary="Enable a subscription.", handler=enable,
        answer=Subscription, body=ActBody, acts=True, finds=True, command="subscriptions enable",
    ),
    Operation(
        method="POST", path="/subscriptions/{id}/disable", summary="Send a subscription nothing until it is enabled.",
        handler=disable, answer=Subscription, body=ActBody, acts=True, finds=True, command="subscriptions disable",
    ),
    Operation(
        method="POST", path="/subscriptions/{id}/test", summary="Send it a sample event, and show the answer.",
        handler=test, answer=SampleAnswer, body=SampleBody, acts=True, finds=True, command="subscriptions test",
    ),
    Operation(
        method="POST", path="/tokens", summary="Mint a token in the form of a JWT for a user of api_users.",
        handler=mint, answer=MintedToken, body=TokenBody, acts=True, hands_out=True, command="subscriptions token",
    ),
)  # fmt: skip
