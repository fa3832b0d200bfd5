"""The operator's settings for applications that subscribe: trusted hosts, timeout, concurrency."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from relay.config.config import Config

Errors = Callable[..., list[str]]
Load = Callable[..., Config]

SOURCE = "sources: {acme: {type: amocrm, token: long-enough}}\n"


def test_nobody_is_trusted_and_two_seconds_are_waited_by_default(load_text: Load) -> None:
    section = load_text(SOURCE).subscribers
    assert (section.allow, section.timeout, section.concurrency) == ((), 2_000, 4)


def test_networks_addresses_and_names_may_be_trusted(load_text: Load) -> None:
    section = load_text(
        f'{SOURCE}subscribers: {{timeout: 500ms, allow: ["127.0.0.1/32", 10.1.2.3, "fd00::/8", Localhost, app.lan.]}}'
    ).subscribers
    assert section.allow == (
        ip_network("127.0.0.1/32"), ip_network("10.1.2.3/32"), ip_network("fd00::/8"), "localhost", "app.lan",
    )  # fmt: skip
    assert section.timeout == 500


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("10.1.2.3/8", "'10.1.2.3/8' is not a network (10.1.2.3/8 has host bits set): write it as"),
        ("10.1.2/24", "'10.1.2/24' is not a network"),
        ("10.1.2", "'10.1.2' is not a network"),
        ("::g", "'::g' is not a network"),
        ("https://app.internal", "'https://app.internal' is not a network"),
        (
            "app_internal!",
            "'app_internal!' is neither a network nor a host's name: 10.1.0.0/16, 127.0.0.1, app.internal",
        ),
        ("*.internal", "'*.internal' is neither a network nor a host's name"),
        ("", "'' is neither a network nor a host's name"),
    ],
)
def test_what_is_neither_is_an_error(errors_in: Errors, entry: str, message: str) -> None:
    (finding,) = errors_in(f'{SOURCE}subscribers: {{allow: ["{entry}"]}}')
    assert finding.startswith("2:23: ")
    assert message in finding


@pytest.mark.parametrize(
    ("section", "finding"),
    [
        ("subscribers: {timeout: 21s}", "2:24: timeout: 21s is not possible: more than 0 and at most 20s"),
        ("subscribers: {allowed: []}", "2:15: unknown key allowed, did you mean allow?"),
        (
            "sinks: {sub-7: {type: post, url: x}}",
            "2:9: 'sub-7' is the name of a subscriber's sink: begin it with anything but sub-",
        ),
    ],
)
def test_mistakes(errors_in: Errors, section: str, finding: str) -> None:
    assert errors_in(f"{SOURCE}{section}") == [finding]
