"""A worker: it routes receipts, looks up in accounts and sends deliveries."""

from importlib import import_module

from relay.spare_libraries import OF_REDIS, hidden
from relay.startup import collect_garbage_seldom

collect_garbage_seldom()
with hidden(OF_REDIS):
    import_module("redis")  # Celery's transport and the store's client both need it
