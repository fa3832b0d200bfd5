"""Tell autoscalers how much work is due: `/autoscale` for KEDA and others, HireFire's own address for HireFire."""

import hmac
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.operations.due_work import read_due_work
from relay.secret import SecretStr
from relay.store.queues import DueWork
from relay.store.reader import Reader

Endpoint = Callable[[Request], Awaitable[Response]]


def autoscale(reader: Reader, live: LiveConfig) -> Endpoint:
    """Make the endpoint that answers with the depth of what is due and the age of its oldest, in seconds."""

    def answer(work: DueWork) -> object:
        return {"oldest_due_seconds": work.oldest_ms / 1000, "depth": work.count}

    return _endpoint(reader, live, answer)


def hirefire(reader: Reader, live: LiveConfig, token: SecretStr | None) -> Endpoint:
    """Make the endpoint `/hirefire/<token>/info`; without a token, or under another one, there is no such address."""

    def answer(work: DueWork) -> object:
        return [{"name": "worker", "quantity": work.count}]

    endpoint = _endpoint(reader, live, answer)

    async def guarded(request: Request) -> Response:
        expected = token.get_secret_value() if token else ""
        if not expected or not hmac.compare_digest(expected.encode(), request.path_params["token"].encode()):
            raise HTTPException(404)
        return await endpoint(request)

    return guarded


def _endpoint(reader: Reader, live: LiveConfig, answer: Callable[[DueWork], object]) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        try:
            work = await read_due_work(reader, live.sinks, live.config.sources)
        except StoreUnavailable as error:
            return JSONResponse({"error": str(error)}, 503)
        return JSONResponse(answer(work))

    return endpoint
