"""The store and the relay's processes, as the bench wants them."""

import asyncio
import os
import re
import subprocess
import sys
import uuid
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from redis.asyncio import Redis

from relay.embedded.broker import make_broker
from relay.embedded.server import EmbeddedStore
from relay.store.connect import connect
from relay.store.records import Hook
from relay.store.store import Store
from tests.bench.measuring import OTHERS

HERE = Path(__file__).parent
BODY = HERE.parent / "fixtures" / "amocrm" / "lead_won.form"
CONFIG = HERE / "relay.yaml"
TOKEN = "bench-token"
BIN = Path(sys.executable).parent
_LEAD = re.compile(rb"(%5B0%5D%5Bid%5D=)\d+")


@contextmanager
def store(folder: Path, cores: int | str = OTHERS):
    """Run a store."""
    # It rewrites its file whenever that has doubled: from nothing to gigabytes within seconds that is all the time, of
    # one that has grown it is seldom. So it is left out. Where it was on, the relay took 3 to 16 % fewer hooks.
    server = EmbeddedStore(folder, "--auto-aof-rewrite-percentage", "0")
    with running(server, cores):
        yield server


@contextmanager
def relay_store(folder: Path, cores: int | str = OTHERS):
    """Run a store, and the broker beside it for Celery's messages, as `relay up` does."""
    with store(folder, cores) as server, running(make_broker(folder), cores):
        yield server


@contextmanager
def running(server: EmbeddedStore, cores: int | str):
    try:
        server.start()
        # Every thread of it: its log-writing ones too.
        subprocess.run(["taskset", "-a", "-cp", str(cores), str(server.pid)], check=True, stdout=subprocess.DEVNULL)
        yield server
    finally:
        server.kill()


def environment(server: EmbeddedStore, namespace: str, **more: str) -> dict[str, str]:
    return {
        "REDIS_URL": server.url,
        "CELERY_BROKER_URL": make_broker(server.folder).url,
        "RELAY_CONFIG": str(CONFIG),
        "RELAY_NAMESPACE": namespace,
        "RELAY_LOG": "json",
        "PYTHONPATH": os.getcwd(),
        **more,
    }


def web_command(port: int, application: str, *options: str) -> list[str]:
    """Run uvicorn as `relay web` does, so that servers differ in nothing but the application."""
    return [
        *(str(BIN / "uvicorn"), application, *options, "--host", "127.0.0.1", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers"),
    ]


def worker_command(application: str = "workers.app") -> list[str]:
    return [
        *(str(BIN / "celery"), "--app", application, "worker", "--pool", "threads", "--concurrency", "4"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--queues", "route,drain"),
    ]


def lead_body(lead: int) -> bytes:
    return _LEAD.sub(rb"\g<1>%d" % lead, BODY.read_bytes(), count=1)


async def fill(url: str, namespace: str, count: int, first: int = 1, source: str = "bench") -> None:
    """Put hooks into the store as the ingress does."""
    client = connect(url, answer_seconds=30)
    target = Store(client, namespace)
    template = BODY.read_bytes()
    for start in range(first, first + count, 100):
        group = [
            lead_hook(_LEAD.sub(rb"\g<1>%d" % n, template, count=1), source)
            for n in range(start, min(start + 100, first + count))
        ]
        await target.accept(group)
    await target.clear_bell("inbox")  # no message was published for it: the ticker will ring
    await client.aclose()


def lead_hook(body: bytes, source: str) -> Hook:
    """Return a hook as the ingress makes it of a body."""
    id = str(uuid.uuid4())
    return Hook(
        id=id,
        source=source,
        digest=blake2b(body, digest_size=16).hexdigest(),
        timed=True,
        request_id=id,
        content_type="application/x-www-form-urlencoded",
        user_agent="amoCRM-Webhooks/3.0",
        body=body,
    )


async def commands(url: str) -> dict[str, int]:
    """Count the commands the store has run, by name."""
    client = Redis.from_url(url)
    stats = await client.info("commandstats")
    await client.aclose()
    return {name.removeprefix("cmdstat_"): int(value["calls"]) for name, value in stats.items()}


async def used_memory(url: str) -> int:
    client = Redis.from_url(url)
    used = int((await client.info("memory"))["used_memory"])
    await client.aclose()
    return used


def allocator_of(server: EmbeddedStore) -> str:
    """Return the name of what gives out a running store's memory."""
    found = re.search(r"/lib(\w*malloc)\b", Path(f"/proc/{server.pid}/maps").read_text())
    return found[1] if found else "the system's"


def run(work):
    return asyncio.run(work)
