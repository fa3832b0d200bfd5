"""Standard Webhooks signatures, as https://www.standardwebhooks.com specifies them."""

import base64
import binascii
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """Return the key of a secret: `whsec_` and base64, or any other text as it is. Raise ValueError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"after {PREFIX} there must be base64: copy the secret as it was issued") from None


def signature_headers(message_id: str, now: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the three headers of a message sent at `now` (epoch milliseconds), with one signature per key.

    Several keys serve a rotation: the receiver accepts whichever it knows.
    """
    timestamp = str(now // 1000)
    message = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
    signatures = (base64.b64encode(hmac.digest(key, message, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
