"""Check the syntax of subscribers' addresses: RFC 2396, over HTTP. It is the pattern of `Url` in openapi.yaml.

Whether an address may be called is another question, with another answer at every delivery: `relay.sinks.ssrf_guard`.
"""

import re

MAX_CHARACTERS = 2_048
_VALID_CHARACTER = re.compile(r"[A-Za-z0-9;/?:@&=+$,\-_.!~*'()#]|%[0-9A-Fa-f]{2}")
_URL = re.compile(r"(?P<scheme>[^:/?#]*):(?://(?P<authority>[^/?#]*))?[^#]*(?P<fragment>#.*)?", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def url_syntax_error(url: str) -> str | None:
    """Return what is wrong with an address, or None."""
    if len(url) > MAX_CHARACTERS:
        return f"{len(url):,} characters, at most {MAX_CHARACTERS:,}"
    if invalid := _VALID_CHARACTER.sub("", url):
        return f"RFC 2396 has no {invalid[0]!r} in a URL: write it percent-encoded"
    parts = _URL.fullmatch(url)
    if not parts or parts["scheme"].lower() not in ("http", "https") or parts["authority"] is None:
        return "it must begin with http:// or https://"
    if parts["fragment"] is not None:
        return "a fragment (#…) is no part of a URL that is called"
    return _authority_error(parts["authority"])


def _authority_error(authority: str) -> str | None:
    if "@" in authority:
        return "no user or password in it: use a secret path"
    host, colon, port = authority.partition(":")
    if not _HOST.fullmatch(host):
        return "it has no host's name"
    if colon and not (_PORT.fullmatch(port) and int(port) < 65_536):
        return f"{port!r} is not a port"
    return None
