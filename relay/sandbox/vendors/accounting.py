"""An accounting that keeps its promises: keys, conflicts, tokens and signatures are checked as a careful vendor does.

`POST /oauth/token` gives tokens for `CLIENT` (RFC 6749, 4.4), `POST /oauth/revoke` ends one (RFC 7009). `/invoices` and
`/customers` take new ones by POST and list them, by any of their fields, by GET; `GET /ping` is free. A request that
is signed (Standard Webhooks) is so with `SIGNING_SECRET`; one that brings a token brings a live one, or `STATIC_TOKEN`.
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
    """What came under an idempotency key, and what was said."""

    body: bytes
    answer: Answer


class Accounting(Vendor):
    """Remembers what it made, its tokens, its keys, and which of them are being worked on."""

    def __init__(self, name: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(name)
        self._now = now
        self._made: dict[str, list[dict[str, Json]]] = {kind: [] for kind in _KINDS}
        self._tokens: dict[str, float] = {}
        self._keys: dict[str, _StoredAnswer] = {}
        self._working: set[str] = set()

    def answer(self, arrived: VendorRequest) -> Answer:
        """Answer as a careful vendor would."""
        if arrived.path == "/oauth/token":
            return self._token(arrived)
        if arrived.path == "/oauth/revoke":
            self._tokens.pop(dict(parse_qsl(arrived.body.decode())).get("token", ""), None)
            return Answer(content={}, stored=False)
        if refusal := self._refusal(arrived):
            return refusal
        kind = arrived.path.strip("/")
        if kind == "ping":
            return Answer(content={"ok": True}, stored=False)
        if kind not in _KINDS:
            return _refused(404, "there is nothing here")
        return self._list(kind, arrived) if arrived.method == "GET" else self._make_once(kind, arrived)

    def on_finished(self, arrived: VendorRequest) -> None:
        """Hear that a request is over: its key is free for repetitions."""
        self._working.discard(arrived.key)

    def _token(self, arrived: VendorRequest) -> Answer:
        form = dict(parse_qsl(arrived.body.decode(), keep_blank_values=True))
        given = _basic(arrived.headers.get("authorization", "")) or (form.get("client_id"), form.get("client_secret"))
        if given != CLIENT:
            return Answer(content={"error": "invalid_client"}, status=401, stored=False)
        if form.get("grant_type") != "client_credentials":
            return Answer(content={"error": "unsupported_grant_type"}, status=400, stored=False)
        token = uuid.uuid4().hex
        self._tokens[token] = self._now() + TOKEN_SECONDS
        content: Json = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return Answer(content=content, stored=False)

    def _refusal(self, arrived: VendorRequest) -> Answer | None:
        scheme, _, token = arrived.headers.get("authorization", "").partition(" ")
        live = token == STATIC_TOKEN or self._tokens.get(token, 0) > self._now()
        if scheme and not (scheme == "Bearer" and live):
            return _refused(401, "the token is not valid, or not any more")
        if "webhook-signature" in arrived.headers and not self._is_signed(arrived):
            return _refused(401, "the signature is not ours")
        return None

    def _is_signed(self, arrived: VendorRequest) -> bool:
        stamp, id = arrived.headers.get("webhook-timestamp", ""), arrived.headers.get("webhook-id", "")
        if not stamp.isdigit() or abs(self._now() - int(stamp)) > _OLDEST_SECONDS:
            return False
        key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{id}.{stamp}.".encode() + arrived.body, "sha256")
        ours = "v1," + base64.b64encode(digest).decode()
        return any(hmac.compare_digest(ours, theirs) for theirs in arrived.headers["webhook-signature"].split())

    def _list(self, kind: str, arrived: VendorRequest) -> Answer:
        wanted = dict(parse_qsl(arrived.query))
        items = [one for one in self._made[kind] if all(str(one.get(key)) == value for key, value in wanted.items())]
        return Answer(content={"items": items}, stored=False)

    def _make_once(self, kind: str, arrived: VendorRequest) -> Answer:
        kept = self._keys.get(arrived.key) if arrived.key else None
        if kept is None:
            answer = self._make(kind, arrived)
            if arrived.key and answer.stored:
                self._keys[arrived.key] = _StoredAnswer(body=arrived.body, answer=answer)
                self._working.add(arrived.key)
            return answer
        if kept.body != arrived.body:
            return _refused(422, "this idempotency key came with another body before")
        if arrived.key in self._working:
            return _refused(409, "a request with this idempotency key is being worked on")
        return msgspec.structs.replace(kept.answer, stored=False, repeat=True)

    def _make(self, kind: str, arrived: VendorRequest) -> Answer:
        try:
            content = msgspec.json.decode(arrived.body, type=dict[str, str | int | None])
        except msgspec.DecodeError as error:
            return _refused(400, f"not what we take, money is a text or an integer: {error}")
        made: dict[str, Json] = {"id": f"{kind[:-1]}-{len(self._made[kind]) + 1}", **content}
        self._made[kind].append(made)
        return Answer(content=made, status=201)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, coded = header.partition(" ")
    if scheme != "Basic":
        return None
    name, _, password = base64.b64decode(coded).decode().partition(":")
    return unquote(name), unquote(password)


def _refused(status: int, why: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(content={"error": why}, status=status, headers=headers or {}, stored=False)
