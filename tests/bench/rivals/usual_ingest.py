"""Rival (b): the usual way, FastAPI with `task.delay(body)` on the same store."""

import os

from celery import Celery
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

celery = Celery("usual", broker=os.environ["USUAL_BROKER"])
celery.conf.update(task_ignore_result=True, broker_pool_limit=40)  # one for each thread of the pool
app = FastAPI()


@celery.task(name="usual.process")
def process(body: str) -> None:
    """Never run here: only its publishing is measured."""


@app.post("/hooks/{source}/{token}")
async def hook(source: str, token: str, request: Request) -> Response:
    if token != "bench-token":
        raise HTTPException(404)
    body = await request.body()
    # Celery cannot publish without blocking. In the loop each would wait alone for its turn of the store's disk.
    await run_in_threadpool(process.delay, body.decode())
    return Response(status_code=202)
