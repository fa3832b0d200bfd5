"""Decide which routes an event takes, and say why not (pure)."""

from relay.routing.conditions import Condition, ConditionErrors, compile_condition, mentions
from relay.routing.failures import Failure, Path, View
from relay.routing.identity import delivery_id, once_id
from relay.routing.routes import Route, Template, match

__all__ = [
    "Condition",
    "ConditionErrors",
    "Failure",
    "Path",
    "Route",
    "Template",
    "View",
    "compile_condition",
    "delivery_id",
    "match",
    "mentions",
    "once_id",
]
