"""`make soak`: ten minutes with bad neighbours, during which a healthy sink keeps 0.9 of its rate alone.

1,000 subscribers over ten sources, fifty of them hostile (names that never answer, servers that misbehave), and fifty
senders that are slow; all of it on 127.0.0.1. Wants a quiet machine: a busy one takes the rate itself. `--short` takes
a minute; `--seed` chooses who is hostile and how.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from threading import Event

from relay.store.connect import connect
from relay.store.store import Store
from tests.bench.measuring import memory_bytes
from tests.name_server import FakeNameServer
from tests.soak.neighbours import HOSTILE, Receiver, listening, send_slowly
from tests.soak.relay_at_work import SOURCES, Work, at_work

SUBSCRIBERS, BAD, SLOW = 1_000, 50, 50
SHARE = 0.9
HANGING_NAMES = "names that never answer"
SETTLE_SECONDS = 3.0  # at the begin of each part, which does not count
DRAIN_SECONDS = 180.0
FAN_OUT_EVERY = 1.0  # seconds between hooks that go to a source's hundred subscribers


def main() -> None:
    """Run it, print what was seen, and end with 1 where somebody noticed the neighbours."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="with bad neighbours")
    parser.add_argument("--short", action="store_true", help="one minute")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        seen = asyncio.run(soak(Path(folder), 60.0 if asked.short else asked.seconds, random.Random(asked.seed)))
    print(json.dumps({"seed": asked.seed, **seen}, indent=1))
    sys.exit(1 if seen["failed"] else 0)


async def soak(folder: Path, seconds: float, rng: random.Random) -> dict[str, object]:
    """Let it work alone, then beside bad neighbours, then to the end of what waits."""
    async with AsyncExitStack() as stack:
        healthy, honest, names = Receiver(), Receiver(), FakeNameServer(hangs="hang")
        healthy_port = await stack.enter_async_context(listening(healthy.talk))
        honest_port = await stack.enter_async_context(listening(honest.talk))
        await stack.enter_async_context(names.open())
        hostile = {talk.__name__: await stack.enter_async_context(listening(talk)) for talk in HOSTILE}
        work = await asyncio.to_thread(stack.enter_context, at_work(folder, healthy_port, names.address))
        alone = await _rate(work, healthy, max(seconds / 20, 20), None)
        bad = await _subscribe(work, honest_port, hostile, rng)
        slow = [asyncio.create_task(send_slowly(work.processes.port, rng)) for _ in range(SLOW)]
        memory = [memory_bytes(work.worker.pid), 0]
        beside = await _rate(work, healthy, seconds, FAN_OUT_EVERY)
        memory[1] = memory_bytes(work.worker.pid)
        for task in slow:
            task.cancel()
        missed = await _missed(work, healthy, honest, bad)
        seen: dict[str, object] = {
            "seconds": seconds,
            "rate_alone": round(alone, 2),
            "rate_beside": round(beside, 2),
            "share": round(beside / alone, 3),
            "hooks": len(work.answers_ms),
            "hook_p99_ms": round(sorted(work.answers_ms)[int(len(work.answers_ms) * 0.99)], 1),
            "healthy_leads": len(work.healthy),
            "healthy_repeated": sum(len(times) > 1 for times in healthy.leads.values()),
            "subscribers_calls": sum(honest.by_path.values()),
            "hostile": Counter(bad.values()),
            "questions_for_hanging_names": sum(names.asked.values()),
            "worker_mb": [round(one / 2**20) for one in memory],
            "honest_disabled": await _disabled(work, bad),
            **missed,
        }
        stalled = work.worker.status is not None or "worker.stalled" in work.worker.output()
        seen["failed"] = [
            *(["the healthy sink did not keep its rate"] if beside < SHARE * alone else []),
            *(["something acknowledged did not arrive"] if any(missed.values()) else []),
            *(["an honest subscriber was disabled"] if seen["honest_disabled"] else []),
            *(["the worker stood still or ended"] if stalled else []),
        ]
        await asyncio.to_thread(work.processes.check)
        return seen


async def _rate(work: Work, healthy: Receiver, seconds: float, to_subscribers_every: float | None) -> float:
    """Send hooks for so long; return how many a second reached the healthy sink."""
    stop = Event()
    sending = asyncio.create_task(asyncio.to_thread(work.send, stop, to_subscribers_every))
    begin = time.monotonic() + SETTLE_SECONDS
    await asyncio.sleep(SETTLE_SECONDS + seconds)
    found = healthy.arrived_between(begin, begin + seconds) / seconds
    stop.set()
    await sending
    return found


async def _subscribe(work: Work, honest: int, hostile: dict[str, int], rng: random.Random) -> dict[str, str]:
    """Subscribe everybody. Returns the addresses of the hostile ones, and what each does."""
    bad: dict[str, str] = {}
    chosen = set(rng.sample(range(SUBSCRIBERS), BAD))
    client = connect(work.processes.environ["REDIS_URL"], answer_seconds=30)
    store = Store(client)
    for n in range(SUBSCRIBERS):
        url = f"http://127.0.0.1:{honest}/{n}"
        if n in chosen:
            kind = rng.choice([HANGING_NAMES, HANGING_NAMES, *hostile])
            url = f"http://hang{n}.soak.test/" if kind == HANGING_NAMES else f"http://127.0.0.1:{hostile[kind]}/{n}"
            bad[url] = kind
        await store.subscriptions.subscribe(f"source{n % SOURCES}", url, ("update_lead",), by="soak")
    await client.aclose()
    return bad


async def _missed(work: Work, healthy: Receiver, honest: Receiver, bad: dict[str, str]) -> dict[str, int]:
    """Wait until all that was acknowledged has arrived; return how much of it has not."""
    hostile = {int(url.rpartition("/")[2] or url.split("hang")[1].partition(".")[0]) for url in bad}
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        leads = len(work.healthy - healthy.leads.keys())
        calls = sum(
            max(work.fanned_out[n % SOURCES] - honest.by_path[f"/{n}"], 0)
            for n in range(SUBSCRIBERS)
            if n not in hostile
        )
        if not leads + calls or time.monotonic() > deadline:
            return {"healthy_missing": leads, "subscribers_calls_missing": calls}
        await asyncio.sleep(0.5)


async def _disabled(work: Work, bad: dict[str, str]) -> list[str]:
    client = connect(work.processes.environ["REDIS_URL"], answer_seconds=30)
    store = Store(client)
    found = [one for n in range(SOURCES) for one in await store.subscriptions.list(f"source{n}")]
    await client.aclose()
    return [one.url for one in found if one.disabled and one.url not in bad]


if __name__ == "__main__":
    main()
