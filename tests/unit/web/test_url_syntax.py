"""Which addresses an application may subscribe: what RFC 2396 has, over HTTP."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.web.subscriptions.openapi import description
from relay.web.subscriptions.url_syntax import url_syntax_error

DESCRIBED = description()["components"]["schemas"]["Url"]


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example",
        "https://app.example/",
        "HTTPS://App.Example:8443/a/b;c=1?x=1&y=%D0%96",
        "http://my_app:80?x",
        "http://127.0.0.1:1/~user/(a)'b'*!",
        "http://2130706433/",  # whether it may be called is checked at every delivery
        "http://not-there.invalid/",
    ],
)
def test_an_address_that_may_be_subscribed(url):
    assert url_syntax_error(url) is None


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("", "it must begin with http:// or https://"),
        ("app.example", "it must begin with http:// or https://"),
        ("ftp://app.example/", "it must begin with http:// or https://"),
        ("http:app.example", "it must begin with http:// or https://"),
        ("javascript:alert(1)", "it must begin with http:// or https://"),
        ("http:///hook", "it has no host's name"),
        ("http://:80/", "it has no host's name"),
        ("http://app;example/", "it has no host's name"),
        ("http://app.example:0/", "'0' is not a port"),
        ("http://app.example:65536/", "'65536' is not a port"),
        ("http://app.example:/", "'' is not a port"),
        ("http://app.example:80:80/", "'80:80' is not a port"),
        ("http://me:secret@app.example/", "no user or password in it: use a secret path"),
        ("http://app.example/#top", "a fragment (#…) is no part of a URL that is called"),
        ("http://app.example/a b", "RFC 2396 has no ' ' in a URL: write it percent-encoded"),
        ("http://пример.рф/", "RFC 2396 has no 'п' in a URL: write it percent-encoded"),
        ("http://app.example/x[]=1", "RFC 2396 has no '[' in a URL: write it percent-encoded"),
        ("http://[::1]/", "RFC 2396 has no '[' in a URL: write it percent-encoded"),
        ("http://app.example/%zz", "RFC 2396 has no '%' in a URL: write it percent-encoded"),
        ("http://app.example/\n", "RFC 2396 has no '\\n' in a URL: write it percent-encoded"),
        ("http://app.example/" + "a" * 2_030, "2,049 characters, at most 2,048"),
    ],
)
def test_an_address_that_is_refused(url, error):
    assert url_syntax_error(url) == error


PIECES = st.sampled_from(
    ["http", "https", ":", "/", "//", "?", "#", "@", "%", "%4F", "a", "-", "_", ".", "[", " ", "é", "0", "80"]
)


@given(
    st.lists(PIECES, max_size=12)
    .map("".join)
    .flatmap(lambda rest: st.sampled_from([rest, f"http://{rest}", f"http://a:{rest}"]))
)
def test_the_description_says_the_same(url):
    assert (url_syntax_error(url) is None) == bool(re.search(DESCRIBED["pattern"], url))
