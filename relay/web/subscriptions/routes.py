"""amoCRM's own API for webhooks, spoken by the relay: three versions over the same records."""

from collections.abc import Callable, Mapping

from starlette.routing import BaseRoute

from relay.config.config import Config
from relay.store.access import Access
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions import openapi, v1, v2, v4
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.endpoint import ErrorFormatter, unknown_address_routes
from relay.web.subscriptions.problem_details import problem_details
from relay.web.subscriptions.service import SubscriptionService

# How an unknown address is refused: in the format of the version that it is of. The first root that fits decides.
_ERROR_FORMATS: Mapping[str, ErrorFormatter] = {
    v1.ROOT: v1.format_error,
    **dict.fromkeys(v2.ROOTS, v2.format_error),
    "/private": v1.format_error,
    "/api": problem_details,
}


def routes(config: Callable[[], Config], subscriptions: Subscriptions, access: Access) -> list[BaseRoute]:
    """Return the routes of all versions, of their description, and of what is none of their addresses."""
    authenticator = Authenticator(lambda: config().api_users, access)
    service = SubscriptionService(subscriptions, lambda: config().subscribers.allow)
    return [
        *v1.routes(authenticator, service),
        *v2.routes(authenticator, service),
        *v4.routes(authenticator, subscriptions, lambda: config().subscribers.allow),
        openapi.ROUTE,
        *(route for root, form in _ERROR_FORMATS.items() for route in unknown_address_routes(form, root)),
    ]
