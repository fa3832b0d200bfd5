"""One address of the store means the same to redis-py, sync and async, and to Celery."""

import ssl

import pytest
import redis
import redis.asyncio
from kombu import Connection

from relay.config.store_address import accept_any_certificate, broker_options, redis_options
from relay.errors import ConfigError

PLAIN = "redis://:p%40ss@store:6379/3"


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        ("rediss://:p@store:6380/1", ssl.CERT_REQUIRED),
        ("rediss://:p@store:6380/1?ssl_cert_reqs=required", ssl.CERT_REQUIRED),
        ("rediss://:p@store:6380/1?ssl_cert_reqs=none", ssl.CERT_NONE),
        ("rediss://:p@store:6380/1?ssl_cert_reqs=CERT_NONE", ssl.CERT_NONE),
    ],
)
def test_certificates_are_verified_unless_the_address_says_otherwise(url: str, verified: ssl.VerifyMode) -> None:
    address, options = redis_options(url)
    sync = redis.Redis.from_url(address, **options).connection_pool.make_connection()
    asynchronous = redis.asyncio.Redis.from_url(address, **options).connection_pool.make_connection()
    broker, settings = broker_options(url)
    assert sync.cert_reqs == verified
    assert asynchronous.ssl_context.cert_reqs == verified
    assert Connection(broker, ssl=settings["broker_use_ssl"]).ssl == {"ssl_cert_reqs": verified}


def test_without_tls_nothing_is_said_about_certificates() -> None:
    assert redis_options(PLAIN) == (PLAIN, {})
    assert broker_options(PLAIN) == (PLAIN, {})


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("unix:///tmp/store.sock", "redis+socket:///tmp/store.sock?virtual_host=0"),
        ("unix:///tmp/store.sock?db=2", "redis+socket:///tmp/store.sock?virtual_host=2"),
        ("redis://store?db=2&health_check_interval=3", "redis://store/2"),
    ],
)
def test_the_broker_gets_its_own_spelling(url: str, broker: str) -> None:
    assert broker_options(url)[0] == broker


def test_a_certificate_authority_reaches_both() -> None:
    url = "rediss://store?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false"
    found = {"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False}
    assert redis_options(url) == ("rediss://store", {**found, "ssl_cert_reqs": "required"})
    assert broker_options(url)[1] == {"broker_use_ssl": {**found, "ssl_cert_reqs": ssl.CERT_REQUIRED}}


@pytest.mark.parametrize(
    ("url", "accepting"),
    [
        ("rediss://store", "rediss://store?ssl_cert_reqs=none"),
        ("rediss://store?db=1", "rediss://store?db=1&ssl_cert_reqs=none"),
        ("rediss://store?ssl_cert_reqs=required", "rediss://store?ssl_cert_reqs=required"),
        ("redis://store", "redis://store"),
    ],
)
def test_accepting_any_certificate_leaves_what_the_address_says_itself(url: str, accepting: str) -> None:
    assert accept_any_certificate(url) == accepting


def test_an_unknown_word_about_certificates_is_an_error() -> None:
    with pytest.raises(ConfigError, match="ssl_cert_reqs=maybe in the store's address: none, optional or required"):
        redis_options("rediss://store?ssl_cert_reqs=maybe")
