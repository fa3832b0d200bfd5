"""The Celery application of a worker, that marks its hooks: `celery --app tests.bench.stamps_of_worker worker`."""

from tests.bench.stamps import Kept, mark_worker
from workers.app import app

kept = Kept()
mark_worker(kept)
kept.write_on_signal("worker")
__all__ = ["app"]
