"""The Celery application of a worker: `celery --app workers.app worker --pool threads …`.

Its messages only say that there is work. Importing this module starts nothing. The process starts before Celery
connects to its broker, and works without it.
"""

from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, setup_logging, worker_shutdown

from relay.bells import broker_settings
from relay.config.environment import ProcessSettings, environ
from relay.errors import ConfigError
from relay.log_format import configure
from relay.logs import log
from workers.process import WorkerProcess


def _settings() -> ProcessSettings:
    settings = ProcessSettings.from_environ(environ())
    if settings.redis_url is None:
        raise ConfigError("REDIS_URL is not set: a worker needs the store's address; `relay dev` brings its own")
    return settings


settings = _settings()
assert settings.broker_url is not None
app = Celery("relay", include=["workers.tasks"])
app.conf.update(
    broker_settings(settings.broker_url, settings.namespace),
    task_acks_late=False,  # what a bell was about that is lost is found by a ticker
    worker_prefetch_multiplier=1,  # a bell that waits here could start another worker
    worker_enable_remote_control=False,  # it needs further queues, and anybody in the broker could command workers
    worker_hijack_root_logger=False,  # all logs have one format
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # until the store is back
    broker_channel_error_retry=True,  # what a replica or a full server answers must not end the worker
    worker_consumer="workers.consumer:Consumer",
    worker_cancel_long_running_tasks_on_connection_loss=True,  # of those with late acks: none
)
process = WorkerProcess(settings, app)


@setup_logging.connect
def _setup_logging(**_: Any) -> None:
    configure(settings.log)


# The threads pool never fires worker_process_init, and worker_ready waits for the broker.
@celeryd_after_setup.connect
def _set_up(**_: Any) -> None:
    try:
        process.start()
    except Exception:  # noqa: BLE001  Celery would only log it, and receive bells for which nothing is done
        log.exception("worker.failed")
        raise SystemExit(70) from None


@worker_shutdown.connect
def _shutdown(**_: Any) -> None:
    process.stop()
