"""The requests of an HTTP sink: deliveries, look-ups and creates, and how they are shown. Pure."""

from collections.abc import Mapping
from typing import Final, get_args

import msgspec
from multidict import CIMultiDict

from relay.masking import mask_credentials, mask_secrets
from relay.model import Json, Record
from relay.sinks.http.content import ContentHead, Encoding, split_content
from relay.sinks.http.references import fill_body, fill_json, fill_path, fill_text
from relay.sinks.http.settings import KEY, HttpSettings, ProbeSettings, ReferringRequest
from relay.sinks.http.signing import signature_headers, signing_key
from relay.sinks.urls import encode_pairs, join_url, safe_path
from relay.transport import Request

_CONTENT_TYPES: Final[Mapping[Encoding, str]] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}


class RequestParts(Record):
    """A request without address and credentials."""

    method: str
    path: str
    query: str
    body: bytes


def request_parts(settings: ReferringRequest, values: Mapping[str, Json]) -> RequestParts:
    """Fill in the request of a look-up or a create. Raise RejectDelivery where a value cannot stand in a path."""
    return RequestParts(
        method=settings.method,
        path=safe_path(fill_path(settings.path, values)),
        query=encode_pairs("query", {name: fill_text(text, values) for name, text in settings.query.items()}),
        body=b"" if settings.body is None else msgspec.json.encode(fill_json(settings.body, values)),
    )


def probe_parts(settings: ProbeSettings) -> RequestParts:
    """Return the request of a probe."""
    query = encode_pairs("query", settings.query)
    return RequestParts(method=settings.method, path=settings.path, query=query, body=b"")


class HttpRequests:
    """Builds requests by a sink's settings. `token`: of OAuth2, "" where there is none."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._tls = settings.client_certificate.context if settings.client_certificate else None
        self._signing_keys = [signing_key(secret) for secret in settings.signing_secrets]
        self._credentials = settings.auth.as_headers() if settings.auth else {}
        own = {header: value.get_secret_value() for header, value in settings.headers.items()}
        self._headers = {encoding: _headers(encoding, own, self._credentials) for encoding in get_args(Encoding)}

    def delivery_request(
        self, content: bytes, key: str, now: int, dependencies: Mapping[str, Json], token: str, trace: str = ""
    ) -> Request:
        """Build the request of a stored content. `now` (epoch milliseconds) goes into the signature only.

        `trace`: what goes on from the attempt's trace, for a sink that wants to know it.
        """
        head, body = split_content(content)
        if head.encoding == "json":
            body = fill_body(body, {**dependencies, KEY: key})
        headers = self._signed(self._authorized(self._headers_of(head), token), key, now, body)
        if self._settings.traceparent and trace:
            headers["traceparent"] = trace  # of W3C's Trace Context
        return self._request(head.method or self._settings.method, head.path, head.query, headers, body)

    def lookup_request(self, parts: RequestParts, token: str) -> Request:
        """Build the request of a look-up or a probe."""
        return self._request(parts.method, parts.path, parts.query, self._headers_of_parts(parts, token), parts.body)

    def create_request(self, parts: RequestParts, key: str, now: int, token: str) -> Request:
        """Build the request that creates what was not found. A repetition of it is recognised by its own key."""
        headers = self._signed(self._headers_of_parts(parts, token), key, now, parts.body)
        return self._request(parts.method, parts.path, parts.query, headers, parts.body)

    def describe(self, content: bytes) -> Mapping[str, Json]:
        """Return a request as it would be sent today, secrets masked."""
        head, body = split_content(content)
        headers = self._authorized(self._headers_of(head), "fetched first" if self._fetches_token else "")
        masked = {name: mask_credentials(value) if self._hides(name) else value for name, value in headers.items()}
        if self._settings.idempotency_key:
            masked[self._settings.idempotency_key] = "<the delivery's id>"
        if self._signing_keys:
            masked["webhook-signature"] = f"<made at every attempt, {len(self._signing_keys)} secret(s)>"
        readable_body: Json = msgspec.json.decode(body) if head.encoding == "json" else body.decode()
        return {
            **({"lookup": head.lookup} if head.lookup else {}),
            **({"needs": head.needs} if head.needs else {}),
            "method": head.method or self._settings.method,
            "url": mask_secrets(
                str(join_url(self._settings.url, head.path, head.query)), self._settings.address_secrets
            ),
            "headers": masked,
            "body": readable_body,
        }

    @property
    def _fetches_token(self) -> bool:
        return bool(self._settings.auth and self._settings.auth.oauth2)

    def _request(self, method: str, path: str, query: str, headers: CIMultiDict[str], body: bytes) -> Request:
        url = join_url(self._settings.url, path, query)
        timeout_ms = self._settings.timeout
        return Request(method=method, url=url, headers=headers, body=body, timeout_ms=timeout_ms, tls=self._tls)

    def _headers_of(self, head: ContentHead) -> CIMultiDict[str]:
        headers = self._headers[head.encoding].copy()
        if head.headers:
            headers.update(head.headers)
            headers.update(self._credentials)  # a route cannot replace the sink's credentials
        return headers

    def _headers_of_parts(self, parts: RequestParts, token: str) -> CIMultiDict[str]:
        return self._authorized(self._headers["json" if parts.body else "none"].copy(), token)

    def _authorized(self, headers: CIMultiDict[str], token: str) -> CIMultiDict[str]:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _signed(self, headers: CIMultiDict[str], key: str, now: int, body: bytes) -> CIMultiDict[str]:
        if self._settings.idempotency_key:
            headers[self._settings.idempotency_key] = key
        if self._signing_keys:
            headers.update(signature_headers(key, now, body, self._signing_keys))
        return headers

    def _hides(self, header: str) -> bool:
        return self._settings.hides_header(header) or header in self._credentials


def _headers(encoding: Encoding, *layers: Mapping[str, str]) -> CIMultiDict[str]:
    content_type = _CONTENT_TYPES.get(encoding)
    headers = CIMultiDict({"Content-Type": content_type} if content_type else {})
    for layer in layers:
        headers.update(layer)
    return headers
