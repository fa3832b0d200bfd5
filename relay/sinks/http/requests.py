"""The requests of an HTTP sink: where they go, who they say we are, and what is shown of them. Pure."""

from collections.abc import Mapping
from typing import Final, get_args

import msgspec
from multidict import CIMultiDict

from relay.model import Json
from relay.sinks.address import join
from relay.sinks.http.content import Encoding, Head, split_content
from relay.sinks.http.lookups import KEY, Question
from relay.sinks.http.references import fill_body
from relay.sinks.http.settings import HttpSettings, is_secret
from relay.sinks.http.signing import secret_key, signed
from relay.transport import Request

_CONTENT_TYPES: Final[Mapping[Encoding, str]] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}


class Requests:
    """Builds requests by a sink's settings. `token`: of OAuth2, "" where there is none."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._tls = settings.client_certificate.context if settings.client_certificate else None
        self._signing_keys = [secret_key(secret) for secret in settings.signing_secrets]
        self._credentials = settings.auth.as_headers() if settings.auth else {}
        own = {header: value.get_secret_value() for header, value in settings.headers.items()}
        self._headers = {encoding: _headers(encoding, own, self._credentials) for encoding in get_args(Encoding)}

    def delivering(self, content: bytes, key: str, now: int, needed: Mapping[str, Json], token: str) -> Request:
        """Build the request of a stored content. `now` (epoch milliseconds) goes into the signature only."""
        head, body = split_content(content)
        if head.encoding == "json":
            body = fill_body(body, {**needed, KEY: key})
        headers = self._signed(self._authorized(self._headers_of(head), token), key, now, body)
        return self._request(head.method or self._settings.method, head.path, head.query, headers, body)

    def asking(self, asked: Question, token: str) -> Request:
        """Build the request of a question."""
        return self._request(asked.method, asked.path, asked.query, self._questioning(asked, token), asked.body)

    def making(self, asked: Question, key: str, now: int, token: str) -> Request:
        """Build the request that makes what was not found, recognised by its own key."""
        headers = self._signed(self._questioning(asked, token), key, now, asked.body)
        return self._request(asked.method, asked.path, asked.query, headers, asked.body)

    def shown(self, content: bytes) -> Mapping[str, Json]:
        """Show a request as it would be sent today, secrets masked."""
        head, body = split_content(content)
        headers = self._authorized(self._headers_of(head), "fetched first" if self._fetches_token else "")
        shown = {name: "***" if self._hides(name) else value for name, value in headers.items()}
        if self._settings.idempotency_key:
            shown[self._settings.idempotency_key] = "<the delivery's id>"
        if self._signing_keys:
            shown["webhook-signature"] = f"<made at every attempt, {len(self._signing_keys)} secret(s)>"
        body_shown: Json = msgspec.json.decode(body) if head.encoding == "json" else body.decode()
        return {
            **({"lookup": head.lookup} if head.lookup else {}),
            **({"needs": head.needs} if head.needs else {}),
            "method": head.method or self._settings.method,
            "url": str(join(self._settings.url, head.path, head.query)),
            "headers": shown,
            "body": body_shown,
        }

    @property
    def _fetches_token(self) -> bool:
        return bool(self._settings.auth and self._settings.auth.oauth2)

    def _request(self, method: str, path: str, query: str, headers: CIMultiDict[str], body: bytes) -> Request:
        url = join(self._settings.url, path, query)
        timeout_ms = self._settings.timeout
        return Request(method=method, url=url, headers=headers, body=body, timeout_ms=timeout_ms, tls=self._tls)

    def _headers_of(self, head: Head) -> CIMultiDict[str]:
        headers = self._headers[head.encoding].copy()
        if head.headers:
            headers.update(head.headers)
            headers.update(self._credentials)  # a route may not speak for the sink
        return headers

    def _questioning(self, asked: Question, token: str) -> CIMultiDict[str]:
        return self._authorized(self._headers["json" if asked.body else "none"].copy(), token)

    def _authorized(self, headers: CIMultiDict[str], token: str) -> CIMultiDict[str]:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _signed(self, headers: CIMultiDict[str], key: str, now: int, body: bytes) -> CIMultiDict[str]:
        if self._settings.idempotency_key:
            headers[self._settings.idempotency_key] = key
        if self._signing_keys:
            headers.update(signed(key, now, body, self._signing_keys))
        return headers

    def _hides(self, header: str) -> bool:
        return is_secret(header) or header in self._credentials


def _headers(encoding: Encoding, *layers: Mapping[str, str]) -> CIMultiDict[str]:
    content_type = _CONTENT_TYPES.get(encoding)
    headers = CIMultiDict({"Content-Type": content_type} if content_type else {})
    for layer in layers:
        headers.update(layer)
    return headers
