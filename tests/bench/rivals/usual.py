"""Rivals (b) and (d), the usual way: FastAPI with `task.delay(body)`, and one Celery task for each delivery."""

import os

import requests
from celery import Celery
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

URL = f"{os.environ.get('BENCH_RECEIVER', '')}/hooks"
celery = Celery("usual", broker=os.environ["USUAL_BROKER"])
celery.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    broker_pool_limit=40,  # one for each thread of the web process's pool
)
app = FastAPI()
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=100))


@app.post("/hooks/{source}/{token}")
async def hook(source: str, token: str, request: Request) -> Response:
    if token != "bench-token":
        raise HTTPException(404)
    body = await request.body()
    # Celery cannot publish without blocking. In the loop each would wait alone for its turn of the store's disk.
    await run_in_threadpool(deliver.delay, URL, body.decode())
    return Response(status_code=202)


@celery.task(name="usual.deliver", bind=True, max_retries=5)
def deliver(self, url: str, body: str) -> None:
    try:
        answer = session.post(url, data=body.encode(), timeout=15)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=60) from error
