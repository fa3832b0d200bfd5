"""What of TLS matters to a call: what was refused before the request could be read, and whether an end was said."""

import os
import ssl
from functools import lru_cache
from typing import Final

# Alerts about the client's certificate. By TLS 1.3 they come when the client has already begun to send.
_CERTIFICATE_ALERTS: Final = (
    "ALERT_ACCESS_DENIED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)
_REASONS: Final = {
    "ALERT_NO_APPLICATION_PROTOCOL": "they speak no HTTP/1.1 there, HTTP/2 only for example",
    "ALERT_CERTIFICATE_REQUIRED": "they want a client certificate, and got none",
    "ALERT_UNKNOWN_CA": "they do not know who issued our client certificate",
    "UNRECOGNIZED_NAME": "they have no host of this name there",
    "ALERT_HANDSHAKE_FAILURE": "they refuse the handshake: a client certificate may be missing",
    "ALERT_PROTOCOL_VERSION": "they refuse this version of TLS",
    "WRONG_VERSION_NUMBER": "they do not speak TLS there: is it http:// in truth, or another port?",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "their TLS is too old: it knows no secure renegotiation (RFC 5746)",
    "NO_RENEGOTIATION": "they want a second handshake within the connection (renegotiation), and do not make it",
}


def prepared(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a TLS context as calls need it. Changes it."""
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=1)
def plain_tls() -> ssl.SSLContext:
    """Return the TLS context of what speaks another protocol than HTTP. Reading the system's certificates is slow."""
    return ssl.create_default_context()


def refuses_certificate(error: BaseException) -> bool:
    """Return whether they have refused the client's certificate, so that they have read no request. Pure."""
    return isinstance(error, ssl.SSLError) and any(alert in _code(error) for alert in _CERTIFICATE_ALERTS)


def describe(error: BaseException) -> str:
    """Return what went wrong, for people. Pure."""
    if isinstance(error, UnicodeError):
        return "its name cannot be asked for by TLS: each part of it must have 1 to 63 letters"
    if not isinstance(error, ssl.SSLError):
        return _without_number(error)
    code = _code(error)
    known = next((text for name, text in _REASONS.items() if name in code), "")
    return f"{known} ({error})" if known else str(error)


def _without_number(error: BaseException) -> str:
    """Return what the system calls an error of its own: "connection refused"."""
    number = error.errno if isinstance(error, OSError) else None
    if not number or number < 0:  # those of names are others
        return str(error)
    text = os.strerror(number)
    return text[:1].lower() + text[1:]


def _code(error: ssl.SSLError) -> str:
    """Return OpenSSL's name of an error. Python does not know them all, and then has it in small letters only."""
    return (error.reason or str(error)).upper().replace(" ", "_")


def said_end(secured: ssl.SSLObject) -> bool:
    """Return whether they have said that nothing more follows (close_notify)."""
    try:
        return not secured.read(1)
    except ssl.SSLError:
        return False
