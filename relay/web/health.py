"""Answer whether this process lives (`/healthz`), and whether it can take hooks (`/readyz`)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.accounts.source_health import SourceHealth
from relay.live_config import LiveConfig
from relay.masking import mask_people_in_json, mask_secrets
from relay.model import Json
from relay.operations.examination import STORE, Examination
from relay.operations.problems import as_problems, diagnose_all, read_problems
from relay.printable import escape_json
from relay.store.reader import Reader
from relay.web.operator_access import OperatorAccess
from relay.web.store_monitor import StoreMonitor

DIAGNOSE_SECONDS: Final = 1.5  # while a store hangs: probes give up after two seconds


def healthz(_: Request) -> JSONResponse:
    """Answer that the process lives."""
    return JSONResponse({"status": "alive"})


def readyz(
    monitor: StoreMonitor,
    live: LiveConfig,
    reader: Reader,
    access: OperatorAccess,
    *,
    strict: bool,
    others: Callable[[], Mapping[str, StoreMonitor]] = dict,
) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that answers 200 where hooks can be stored, else 503; operators also get the detail.

    Anything else that is wrong is detail in a 200: platforms stop a web process that is not ready, and hooks would be
    lost. `strict`: a store that may lose what it confirmed will not do. `others`: the monitors of further shards: while
    one of all takes hooks, this is ready.
    """

    async def answer(request: Request) -> Response:
        found = {"": _problems(monitor, strict=strict)}
        found |= {f"shard {name}: ": _problems(one, strict=strict) for name, one in others().items()}
        problems = [f"{shard}{problem}" for shard, some in found.items() for problem in some]
        ready = not all(found.values())
        body: dict[str, object] = {"status": "ready" if ready else "unready"}
        if access.allows(request):
            body |= {"problems": problems, **_detail(monitor, live), "doctor": await _diagnose(reader, live)}
        # Read on a terminal too, by curl; what others answer is quoted in it.
        encoded = escape_json(msgspec.json.encode(body).decode())
        return Response(encoded, 200 if ready else 503, media_type="application/json")

    return answer


async def _diagnose(reader: Reader, live: LiveConfig) -> Json:
    """Return what `relay doctor` finds that is not good."""
    try:
        async with asyncio.timeout(DIAGNOSE_SECONDS):
            problems = await read_problems(reader, live.config, live.error)
    except TimeoutError:
        away = Examination(now=None, failures={STORE: f"no answer within {DIAGNOSE_SECONDS:g} s"})
        problems = as_problems(diagnose_all(away, live.config, live.error), {}, 0)
    return mask_people_in_json(msgspec.to_builtins(problems))


def _detail(monitor: StoreMonitor, live: LiveConfig) -> dict[str, object]:
    return {
        "store": _format_store(monitor),
        "sources": {name: _format_source(health) for name, health in monitor.sources.items()},
        "config": {"version": live.config.version, "error": live.error and mask_secrets(live.error)},
    }


def _problems(monitor: StoreMonitor, *, strict: bool) -> list[str]:
    problems = []
    if monitor.problem:
        problems.append(monitor.problem)
    if monitor.full():
        problems.append("the store is over its headroom mark: new hooks are refused until some of it is worked off")
    if strict and monitor.durability and monitor.durability.weakness:
        problems.append(f"RELAY_DURABILITY=strict, and {monitor.durability.weakness}")
    return problems


def _format_store(monitor: StoreMonitor) -> dict[str, object]:
    durability, memory, life = monitor.durability, monitor.memory, monitor.life
    return {
        "durability": str(durability) if durability else None,
        "eviction": durability.policy if durability else None,
        "used_bytes": memory.used if memory else None,
        "limit_bytes": memory.limit if memory else None,
        "in_use_since": life.since if life else None,
        "emptied_at": life.emptied_at if life else None,
    }


def _format_source(health: SourceHealth) -> dict[str, object]:
    return {
        "hook": health.hook,
        "silent": health.silent,
        "last_received_at": health.last_hook_at,
        "patience_ms": health.max_silence_ms,
        "checked_at": health.checked_at,
        "problem": health.problem or None,
    }
