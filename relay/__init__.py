"""amo-relay: amoCRM webhooks, delivered."""

__version__ = "0.1.0"
