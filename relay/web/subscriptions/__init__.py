"""amoCRM's own API for webhooks, spoken by the relay: three versions over the same records."""

from collections.abc import Callable

from starlette.routing import BaseRoute

from relay.config.config import Config
from relay.store.access import Access
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions import openapi, v1, v2, v4
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.service import SubscriptionService


def routes(config: Callable[[], Config], subscriptions: Subscriptions, access: Access) -> list[BaseRoute]:
    """Return the routes of all versions and of their description."""
    authenticator = Authenticator(lambda: config().api_users, access)
    service = SubscriptionService(subscriptions, lambda: config().subscribers.allow)
    return [
        *v1.routes(authenticator, service),
        *v2.routes(authenticator, service),
        *v4.routes(authenticator, subscriptions, lambda: config().subscribers.allow),
        openapi.ROUTE,
    ]
