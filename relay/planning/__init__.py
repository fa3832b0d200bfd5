"""Plan what becomes of receipts, and of deliveries whose look-up is answered (pure)."""

from relay.planning.deliveries import RenderedTemplates
from relay.planning.evaluation import RouteEvaluation, evaluate_routes
from relay.planning.receipts import SubscriptionsBySource, plan_receipt, plan_receipts

__all__ = [
    "RenderedTemplates",
    "RouteEvaluation",
    "SubscriptionsBySource",
    "evaluate_routes",
    "plan_receipt",
    "plan_receipts",
]
