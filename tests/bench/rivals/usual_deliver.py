"""Rival (d): the usual way, one Celery task for each delivery, with requests."""

import os

import requests
from celery import Celery

celery = Celery("usual", broker=os.environ["USUAL_BROKER"])
celery.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=4)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=100))


@celery.task(name="usual.deliver", bind=True, max_retries=5)
def deliver(self, url: str, body: str) -> None:
    try:
        answer = session.post(url, data=body.encode(), headers={"Content-Type": "application/json"}, timeout=15)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=60) from error
