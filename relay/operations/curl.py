"""Write a described request as a command for curl. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from relay.amocrm.form import encode_form
from relay.model import Json, Value


def curl_command(request: Json) -> str:
    """Return the command that sends a described request; its secrets are masked there. Empty: it is no HTTP request."""
    if not isinstance(request, Mapping) or not isinstance(request.get("url"), str):
        return ""
    return " \\\n  ".join(_parts(request))


def _parts(request: Mapping[str, Json]) -> Iterator[str]:
    yield f"curl -X {shlex.quote(str(request.get('method', 'POST')))} {shlex.quote(str(request['url']))}"
    headers = request.get("headers")
    named = {str(name).lower() for name in headers} if isinstance(headers, Mapping) else set()
    if isinstance(headers, Mapping):
        yield from (f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    if "body" not in request or request["body"] is None:
        return
    body = request["body"]
    if isinstance(body, str):
        yield f"--data-raw {shlex.quote(body)}"
        return
    if "content-type" in named:
        yield f"--data-raw {shlex.quote(msgspec.json.encode(body).decode())}"
    elif isinstance(body, Mapping):  # no type: a form, which is what curl sends by default
        yield f"--data-raw {shlex.quote(encode_form(_as_form(body)).decode())}"


def _as_form(body: Mapping[str, Json]) -> dict[str, Value]:
    return {name: _as_value(value) for name, value in body.items()}


def _as_value(value: Json) -> Value:
    if isinstance(value, Mapping):
        return _as_form(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_value(one) for one in value]
    return "" if value is None else str(value)
