"""A token in the form of a JWT, for clients that accept no other: they read from it when it ends.

It is signed with the API user's own `token`, so nothing of it is stored: it ends at its time, and when that changes.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import msgspec

from relay.config.api_users import ApiUser
from relay.model import Json
from relay.web.subscriptions.account import account_number, user_number

_PURPOSE = b"a JWT of an API user"  # the token itself is no signing key: clients send it


def mint_jwt(user: ApiUser, now: int, seconds: int) -> str:
    """Return a token that is as good as the user's own, for so many seconds. `now` is a Unix time."""
    claims: dict[str, Json] = {
        "jti": secrets.token_hex(16),
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        "sub": str(user_number(user.login)),
        "account_id": account_number(user),
    }
    signed = f"{_encode({'typ': 'JWT', 'alg': 'HS256'})}.{_encode(claims)}"
    return f"{signed}.{sign(signed, user)}"


def split_jwt(token: str) -> tuple[str, str]:
    """Return what of a JWT is signed, and its signature; both empty where the token is none."""
    signed, _, signature = token.rpartition(".")
    return (signed, signature) if signed.count(".") == 1 else ("", "")


def sign(signed: str, user: ApiUser) -> str:
    """Return the signature that a user's JWT has; empty where the user has no token."""
    token = user.token.get_secret_value()
    if not token:
        return ""
    key = hmac.digest(token.encode(), _PURPOSE, sha256)
    return _base64(hmac.digest(key, signed.encode(), sha256))


def has_expired(signed: str, now: int) -> bool:
    """Return whether a JWT, whose signature was right, is over."""
    payload = signed.partition(".")[2]
    try:
        expires = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims).exp
    except ValueError:  # signed by somebody who has the token, but not minted here
        return True
    return now >= expires


class _Claims(msgspec.Struct):
    exp: int


def _encode(value: dict[str, Json]) -> str:
    return _base64(msgspec.json.encode(value))


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
