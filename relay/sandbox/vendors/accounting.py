"""A strict accounting service: it checks idempotency keys, conflicts, tokens and signatures.

`POST /oauth/token` issues tokens for `CLIENT` (RFC 6749, 4.4), `POST /oauth/revoke` ends one (RFC 7009). `/invoices`
and `/customers` create by POST, and list by any of their fields by GET; `GET /ping` needs nothing. A signature
(Standard Webhooks) must be made with `SIGNING_SECRET`; a token must be issued and not expired, or `STATIC_TOKEN`.
"""

import base64
import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from relay.model import Json, Record
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

CLIENT: Final = ("relay", "sandbox-secret")
STATIC_TOKEN: Final = "demo-books-token"
SIGNING_SECRET: Final = "whsec_c2FuZGJveC1zaWduaW5nLXNlY3JldA=="
TOKEN_SECONDS: Final = 3600
_OLDEST_SECONDS: Final = 300  # Standard Webhooks: an older signature is a replay
_KINDS: Final = frozenset({"invoices", "customers"})


class _StoredAnswer(Record):
    """The body that came under an idempotency key, and its answer."""

    body: bytes
    answer: Answer


class FakeAccounting(Vendor):
    """Remembers its invoices and customers, its tokens, the keys, and which keys are in progress."""

    def __init__(self, name: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(name)
        self._now = now
        self._created: dict[str, list[dict[str, Json]]] = {kind: [] for kind in _KINDS}
        self._tokens: dict[str, float] = {}
        self._answers: dict[str, _StoredAnswer] = {}
        self._in_progress: set[str] = set()

    def answer(self, request: VendorRequest) -> Answer:
        """Answer as a strict vendor would."""
        if request.path == "/oauth/token":
            return self._token(request)
        if request.path == "/oauth/revoke":
            self._tokens.pop(dict(parse_qsl(request.body.decode())).get("token", ""), None)
            return Answer(content={}, stored=False)
        if refusal := self._refusal(request):
            return refusal
        kind = request.path.strip("/")
        if kind == "ping":
            return Answer(content={"ok": True}, stored=False)
        if kind not in _KINDS:
            return _refuse(404, "not found")
        return self._list(kind, request) if request.method == "GET" else self._create_once(kind, request)

    def on_finished(self, request: VendorRequest) -> None:
        """Accept repetitions of its key from now on."""
        self._in_progress.discard(request.key)

    def _token(self, request: VendorRequest) -> Answer:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        given = _basic(request.headers.get("authorization", "")) or (form.get("client_id"), form.get("client_secret"))
        if given != CLIENT:
            return Answer(content={"error": "invalid_client"}, status=401, stored=False)
        if form.get("grant_type") != "client_credentials":
            return Answer(content={"error": "unsupported_grant_type"}, status=400, stored=False)
        token = uuid.uuid4().hex
        self._tokens[token] = self._now() + TOKEN_SECONDS
        content: Json = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return Answer(content=content, stored=False)

    def _refusal(self, request: VendorRequest) -> Answer | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        valid = token == STATIC_TOKEN or self._tokens.get(token, 0) > self._now()
        if scheme and not (scheme == "Bearer" and valid):
            return _refuse(401, "the token is not valid, or has expired")
        if "webhook-signature" in request.headers and not self._is_signed(request):
            return _refuse(401, "the signature is wrong")
        return None

    def _is_signed(self, request: VendorRequest) -> bool:
        stamp, id = request.headers.get("webhook-timestamp", ""), request.headers.get("webhook-id", "")
        if not stamp.isdigit() or abs(self._now() - int(stamp)) > _OLDEST_SECONDS:
            return False
        key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{id}.{stamp}.".encode() + request.body, "sha256")
        expected = "v1," + base64.b64encode(digest).decode()
        return any(hmac.compare_digest(expected, given) for given in request.headers["webhook-signature"].split())

    def _list(self, kind: str, request: VendorRequest) -> Answer:
        filters = dict(parse_qsl(request.query))
        items = [
            one for one in self._created[kind] if all(str(one.get(key)) == value for key, value in filters.items())
        ]
        return Answer(content={"items": items}, stored=False)

    def _create_once(self, kind: str, request: VendorRequest) -> Answer:
        known = self._answers.get(request.key) if request.key else None
        if known is None:
            answer = self._create(kind, request)
            if request.key and answer.stored:
                self._answers[request.key] = _StoredAnswer(body=request.body, answer=answer)
                self._in_progress.add(request.key)
            return answer
        if known.body != request.body:
            return _refuse(422, "this idempotency key came with another body before")
        if request.key in self._in_progress:
            return _refuse(409, "a request with this idempotency key is in progress")
        return msgspec.structs.replace(known.answer, stored=False, repeat=True)

    def _create(self, kind: str, request: VendorRequest) -> Answer:
        try:
            content = msgspec.json.decode(request.body, type=dict[str, str | int | None])
        except msgspec.DecodeError as error:
            return _refuse(400, f"not a valid document, money must be a string or an integer: {error}")
        created: dict[str, Json] = {"id": f"{kind[:-1]}-{len(self._created[kind]) + 1}", **content}
        self._created[kind].append(created)
        return Answer(content=created, status=201)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, coded = header.partition(" ")
    if scheme != "Basic":
        return None
    name, _, password = base64.b64decode(coded).decode().partition(":")
    return unquote(name), unquote(password)


def _refuse(status: int, why: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(content={"error": why}, status=status, headers=headers or {}, stored=False)
