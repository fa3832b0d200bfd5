"""Decide which routes an event takes, and say why not (pure)."""

from relay.routing.conditions import Condition, ConditionErrors, compile_condition, uses_fields
from relay.routing.failures import Failure, SupportsFields
from relay.routing.identity import delivery_id, is_shadow_id, key_digest, once_id
from relay.routing.index import RouteIndex
from relay.routing.operators import has_value
from relay.routing.routes import Renderer, Route, check_route, matches_route

__all__ = [
    "Condition",
    "ConditionErrors",
    "Failure",
    "Renderer",
    "Route",
    "RouteIndex",
    "SupportsFields",
    "check_route",
    "compile_condition",
    "delivery_id",
    "has_value",
    "is_shadow_id",
    "key_digest",
    "matches_route",
    "once_id",
    "uses_fields",
]
