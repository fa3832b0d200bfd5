"""The fake account's API v4 and OAuth."""

import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from relay.amocrm.event_names import SUBSCRIBABLE
from relay.sandbox.amocrm.access import IssuedTokens, RequestLimits
from relay.sandbox.amocrm.account import SUBDOMAIN, FakeAccount
from relay.sandbox.amocrm.shapes import Item

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_MAX_HOOKS: Final = 100
_MAX_PAGE_SIZE: Final = 250
_FORBIDDEN: Final = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"


class FakeApi:
    """The account's API with its limits and tokens. `request_counts` has the requests by method and path."""

    def __init__(self, account: FakeAccount, limits: RequestLimits, tokens: IssuedTokens) -> None:
        self._account = account
        self._limits = limits
        self._tokens = tokens
        self.request_counts: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        """Return the routes."""
        own: Mapping[tuple[str, str], Endpoint] = {
            ("/api/v4/webhooks", "GET"): self._hooks,
            ("/api/v4/webhooks", "POST"): self._subscribe,
            ("/api/v4/webhooks", "DELETE"): self._unsubscribe,
            ("/api/v4/users", "GET"): self._users,
            ("/api/v4/leads/pipelines", "GET"): self._pipelines,
            ("/api/v4/{entities}/custom_fields", "GET"): self._fields,
            ("/api/v4/events", "GET"): self._events,
            ("/api/v4/{entities}", "GET"): self._records,
            ("/api/v4/{entities}/{id:int}", "GET"): self._record,
        }
        api = [Route(path, self._guarded(endpoint), methods=[method]) for (path, method), endpoint in own.items()]
        return [Route("/oauth2/access_token", self._exchange, methods=["POST"]), *api]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            path = request.url.path.removeprefix(request.scope.get("root_path", ""))
            self.request_counts[f"{request.method} {path}"] += 1
            refusal = self._limits.refusal(time.monotonic())
            if refusal == 403:
                return HTMLResponse(_FORBIDDEN, 403)
            if refusal == 429:
                after = self._limits.retry_after
                headers = {} if after is None else {"Retry-After": str(after)}
                return problem(429, "Too Many Requests", headers)
            if not self._tokens.known(request.headers.get("authorization", ""), time.time()):
                return problem(401, "Unauthorized")
            return await endpoint(request)

        return guarded

    async def _exchange(self, request: Request) -> Response:
        given = await _json(request)
        tokens = self._tokens.exchange(given, time.time())
        if tokens is None:
            return problem(400, "Некорректный запрос", more={"hint": "Token has been revoked"})
        return JSONResponse(tokens)

    async def _hooks(self, request: Request) -> Response:
        destination = request.query_params.get("filter[destination]")
        hooks = [hook.to_json() for hook in self._account.hooks.values() if destination in (None, hook.destination)]
        return page(request, "webhooks", hooks, total=True)

    async def _subscribe(self, request: Request) -> Response:
        given = await _json(request)
        destination, settings = given.get("destination"), given.get("settings")
        if not isinstance(destination, str) or urlsplit(destination).scheme not in ("http", "https"):
            return invalid("destination", "This value is not a valid URL.")
        if not isinstance(settings, list) or not settings or not set(settings) <= set(SUBSCRIBABLE):
            return invalid("settings", "One or more of the given values is invalid.")
        if destination not in self._account.hooks and len(self._account.hooks) >= _MAX_HOOKS:
            return invalid("destination", "Webhooks limit exceeded.")
        return _hal(self._account.subscribe(destination, settings).to_json(), 201)

    async def _unsubscribe(self, request: Request) -> Response:
        given = await _json(request)
        if self._account.hooks.pop(str(given.get("destination")), None) is None:
            return problem(404, "Not Found")
        return Response(status_code=204)

    async def _users(self, request: Request) -> Response:
        with_phone = "phone_number" in request.query_params.get("with", "")
        users = [
            _user(int(id), {k: v for k, v in user.items() if with_phone or k != "phone_number"})
            for id, user in self._account.settings["users"].items()
        ]
        return page(request, "users", users, total=True)

    async def _pipelines(self, request: Request) -> Response:
        pipelines = self._account.settings["pipelines"]
        found = [
            {
                "id": int(id),
                "name": pipeline["name"],
                "is_main": id == min(pipelines),
                "_embedded": {
                    "statuses": [{"id": int(own), "name": name} for own, name in pipeline["statuses"].items()]
                },
            }
            for id, pipeline in pipelines.items()
        ]
        return page(request, "pipelines", found, total=True)

    async def _fields(self, request: Request) -> Response:
        known = self._account.settings["fields"].get(request.path_params["entities"])
        if known is None:
            return problem(404, "Not Found")
        return page(request, "custom_fields", [_field(int(id), field) for id, field in known.items()], total=True)

    async def _records(self, request: Request) -> Response:
        entities = request.path_params["entities"]
        records = self._account.records.get(entities)
        if records is None:
            return problem(404, "Not Found")
        ids = _query_values(request, "filter[id]")
        found = [item for id, item in records.items() if not ids or str(id) in ids]
        return page(request, entities, [_select_embedded(item, request) for item in found])

    async def _record(self, request: Request) -> Response:
        item = self._account.records.get(request.path_params["entities"], {}).get(request.path_params["id"])
        return Response(status_code=204) if item is None else _hal(_select_embedded(item, request))

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        since, till = int(query.get("filter[created_at][from]", 0)), int(query.get("filter[created_at][to]", 1 << 40))
        kinds = {kind for text in _query_values(request, "filter[type]") for kind in text.split(",")}
        found = [
            event
            for event in reversed(self._account.events)
            if since <= event["created_at"] <= till and (not kinds or event["type"] in kinds)
        ]
        return page(request, "events", found, max_size=100)


def _user(id: int, user: Item) -> Item:
    own = {key: value for key, value in user.items() if key != "is_active"}
    return {"id": id, **own, "rights": {"is_admin": False, "is_free": False, "is_active": user.get("is_active", True)}}


def _field(id: int, field: Item) -> Item:
    values = [{"id": 1000 + at, "value": value, "sort": at} for at, value in enumerate(field.get("enums", ()))]
    return {**field, "id": id, "code": field.get("code"), "enums": values or None}


def page(
    request: Request, name: str, items: Sequence[Item], *, total: bool = False, max_size: int = _MAX_PAGE_SIZE
) -> Response:
    """Return a page of a list, with the address of the next one; 204 for an empty page."""
    query = request.query_params
    number, limit = int(query.get("page", 1)), min(int(query.get("limit", 50)), max_size)
    here = items[(number - 1) * limit : number * limit]
    if not here:
        return Response(status_code=204)
    # As in amoCRM the address is the real account's: a client that followed it would leave the sandbox.
    own = f"https://{SUBDOMAIN}.amocrm.ru{request.url.path}?limit={limit}&page="
    links = {"self": {"href": f"{own}{number}"}}
    if number * limit < len(items):
        links["next"] = {"href": f"{own}{number + 1}"}
    counted = {"_total_items": len(items)} if total else {}
    return _hal({**counted, "_page": number, "_links": links, "_embedded": {name: here}})


def problem(status: int, title: str, headers: Mapping[str, str] | None = None, more: Item | None = None) -> Response:
    """Return an error as amoCRM writes it."""
    content = {
        "title": title,
        "type": "https://httpstatus.es/" + str(status),
        "status": status,
        "detail": "",
        **(more or {}),
    }
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def invalid(path: str, detail: str) -> Response:
    """Return the error of one field."""
    errors = [{"code": "InvalidValue", "path": path, "detail": detail}]
    return problem(400, "Bad Request", more={"validation-errors": [{"request_id": "0", "errors": errors}]})


def _hal(content: Item, status: int = 200) -> Response:
    return JSONResponse(content, status, media_type="application/hal+json")


async def _json(request: Request) -> Mapping[str, Any]:
    try:
        given = json.loads(await request.body())
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _query_values(request: Request, name: str) -> set[str]:
    return {text for key, text in request.query_params.multi_items() if key == name or key.startswith(f"{name}[")}


def _select_embedded(item: Item, request: Request) -> Item:
    """Return a record with the embedded ones that `with` asks for."""
    requested = request.query_params.get("with", "").split(",")
    embedded = {k: v for k, v in item["_embedded"].items() if k not in ("contacts", "leads") or k in requested}
    return {**item, "_embedded": embedded}
