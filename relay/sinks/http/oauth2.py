"""OAuth2 client credentials (RFC 6749, 4.4): one token for all workers, fetched by one of them."""

import hashlib
import re
from typing import Annotated
from urllib.parse import quote, urlencode

import msgspec
from yarl import URL

from relay.durations import read_lifetime_ms
from relay.encryption import Encrypter
from relay.model import Outcome, Record, Result
from relay.sinks.attempt_calls import AttemptCalls, EndAttempt
from relay.sinks.failures import failure_outcome
from relay.sinks.http.auth import OAuth2, basic_header
from relay.sinks.retry_after import parse_retry_after
from relay.transport import Request, Response, TransportFailure, body_json

MARGIN_MS = 30_000  # a token that expires while its request is on the way is refused
DEFAULT_LIFETIME_MS = 3600_000  # where they state none (RFC 6749, 5.1); a 401 ends it sooner
LOCK_MS = 25_000  # longer than any sink's timeout
WAIT_MS = 5_000  # for a token that another worker is fetching


class _TokenResponse(Record):
    """The answer of a token endpoint."""

    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    expires_in: object = None


class Token(Record, array_like=True):
    """A token, and until when it is used (epoch milliseconds)."""

    value: str
    until: int


_decode_token = msgspec.msgpack.Decoder(Token).decode
_VISIBLE = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")  # what a header may say
_encode_token = msgspec.msgpack.Encoder().encode


class ClientToken:
    """The token of one client, cached in the process and, encrypted, in the store."""

    def __init__(self, settings: OAuth2) -> None:
        self._settings = settings
        self._secret = settings.client_secret.get_secret_value()
        identity = "\0".join((settings.token_url, settings.client_id, self._secret, settings.scope))
        self._key = f"oauth2:{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
        self._cached: Token | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must be masked in answers."""
        return (self._cached.value,) if self._cached else ()

    async def get(self, calls: AttemptCalls, refused: str = "") -> str:
        """Return a token other than the one that was `refused`. Raise EndAttempt where there is none now."""
        if token := self._usable(self._cached, calls.now, refused):
            return token.value
        token = await calls.tools.shared.find_or_make(
            lambda: self._stored(calls, refused),
            lambda: self._fetch(calls),
            lock=f"{self._key}:lock",
            lock_ms=LOCK_MS,
            wait_ms=WAIT_MS,
        )
        if token is None:
            reason = "another worker is fetching a token"
            raise EndAttempt(Result(outcome=Outcome.THROTTLED, reason=reason, after_ms=1000))
        self._cached = token
        return token.value

    async def _stored(self, calls: AttemptCalls, refused: str) -> Token | None:
        stored = await calls.tools.shared.get(self._key)
        opened = self._encrypter(calls).decrypt(stored) if stored else None  # None under a key that was changed
        return self._usable(_decode_token(opened) if opened else None, calls.now, refused)

    def _encrypter(self, calls: AttemptCalls) -> Encrypter:
        """Return what encrypts the stored token: without RELAY_SECRET_KEY the client's own secret is the key."""
        return Encrypter(calls.tools.secret_key or self._settings.client_secret)

    def _usable(self, token: Token | None, now: int, refused: str) -> Token | None:
        return token if token and token.value != refused and token.until > now else None

    async def _fetch(self, calls: AttemptCalls) -> Token:
        answer = await calls.call(self._request(), limited=False)  # another server, not the one the rate is for
        if isinstance(answer, TransportFailure):
            outcome = failure_outcome(answer, repeatable=True)
            raise EndAttempt(Result(outcome=outcome, reason=f"no token: {answer.reason}"))
        response = self._read(answer, calls.now)
        lasts_ms = read_lifetime_ms(response.expires_in, DEFAULT_LIFETIME_MS)
        # A token with a lifetime below the margin is still good for this attempt.
        until = calls.now + max(lasts_ms - MARGIN_MS, lasts_ms // 2, 1)
        token = Token(value=response.access_token, until=until)
        await calls.tools.shared.put(self._key, self._encrypter(calls).encrypt(_encode_token(token)), until - calls.now)
        return token

    def _request(self) -> Request:
        form = {"grant_type": "client_credentials"}
        if self._settings.scope:
            form["scope"] = self._settings.scope
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self._settings.client_auth == "header":
            # RFC 6749, 2.3.1: both are form-encoded first.
            headers["Authorization"] = basic_header(
                quote(self._settings.client_id, safe=""), quote(self._secret, safe="")
            )
        else:
            form |= {"client_id": self._settings.client_id, "client_secret": self._secret}
        return Request(
            method="POST",
            url=URL(self._settings.token_url, encoded=True),
            headers=headers,
            body=urlencode(form).encode(),
            timeout_ms=1,  # AttemptCalls replaces it by the time that is left
        )

    def _read(self, answer: Response, now: int) -> _TokenResponse:
        after_ms = parse_retry_after(answer.headers.get("Retry-After"), now)
        if answer.status == 429:
            raise _no_token(Outcome.THROTTLED, "too many requests for tokens", answer, after_ms)
        if answer.status >= 500 or answer.status == 408:
            raise _no_token(Outcome.RETRY, "the token endpoint does not work", answer, after_ms)
        if answer.status != 200:
            problem = f"the token endpoint refuses the client{_error(answer)}"
            advice = f"{problem}: check token_url, client_id, client_secret, scope"
            raise _no_token(Outcome.BLOCKED, advice, answer, after_ms)
        try:
            response = msgspec.convert(body_json(answer), _TokenResponse)
            if not _VISIBLE.fullmatch(response.access_token):
                raise msgspec.ValidationError("it would end the header")
            return response
        except msgspec.ValidationError:  # its message may quote the answer, which may have a token in it
            advice = "the token endpoint did not return a token: check token_url"
            raise _no_token(Outcome.BLOCKED, advice, answer, after_ms) from None


def _no_token(outcome: Outcome, reason: str, answer: Response, after_ms: int | None) -> EndAttempt:
    return EndAttempt(
        Result(outcome=outcome, reason=f"{answer.status}: {reason}", status=answer.status, after_ms=after_ms)
    )


class _Refusal(Record):
    error: str = ""


def _error(answer: Response) -> str:
    """Return the error code (RFC 6749, 5.2). Other parts of the answer may be secret."""
    try:
        code = msgspec.convert(body_json(answer), _Refusal).error
    except msgspec.ValidationError:
        return ""
    return f" ({code})" if code.isidentifier() else ""
