"""One address of the store means the same to redis-py, sync and async, and to Celery."""

import ssl
from urllib.parse import unquote

import pytest
import redis
import redis.asyncio
from kombu import Connection

from relay.config.broker_address import broker_options
from relay.config.environment import ProcessSettings
from relay.config.store_address import accept_any_certificate, fails_over, name_slot
from relay.config.store_options import cluster_options, redis_options, sentinel_options
from relay.errors import ConfigError

KNOWN = (
    "client_name, db, health_check_interval, sentinel_password, sentinel_username, ssl_ca_certs, ssl_ca_data, "
    "ssl_ca_path, ssl_cert_reqs, ssl_certfile, ssl_check_hostname, ssl_ciphers, ssl_keyfile, ssl_password"
)
FORMS = "redis://host:6379/0, rediss://…, redis+sentinel://…/NAME, redis+cluster://… or unix:///path"
SENTINEL_FORM = "redis+sentinel://:PASSWORD@host:26379,host2:26379/mymaster/0"
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


def test_sentinels_are_asked_by_both_for_the_store_of_a_name() -> None:
    url = "redis+sentinel://ann:p%40ss@one:26380,[::1]/books/2?sentinel_password=its%20own"
    assert redis_options(url) == ("redis://ann:p%40ss@books/2", {})
    sentinels = [("one", 26380), ("::1", 26379)]
    assert sentinel_options(url) == ("books", sentinels, {"password": "its own"})
    broker = "sentinel://ann:p%40ss@one:26380/2;sentinel://ann:p%40ss@[::1]:26379/2"
    options = {"master_name": "books", "sentinel_kwargs": {"password": "its own"}}
    assert broker_options(url) == (broker, {"broker_transport_options": options})


def test_tls_to_a_store_is_tls_to_its_sentinels() -> None:
    url = "rediss+sentinel://one,two/books?ssl_ca_certs=/etc/ca.pem"
    tls = {"ssl_ca_certs": "/etc/ca.pem", "ssl_cert_reqs": "required"}
    assert redis_options(url) == ("rediss://books", tls)
    assert sentinel_options(url) == ("books", [("one", 26379), ("two", 26379)], {**tls, "ssl": True})
    assert broker_options(url)[1]["broker_use_ssl"] == {**tls, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert accept_any_certificate("rediss+sentinel://one/books") == "rediss+sentinel://one/books?ssl_cert_reqs=none"


def test_an_address_without_sentinels_or_nodes_has_none() -> None:
    assert sentinel_options(PLAIN) is None
    assert cluster_options(PLAIN) is None
    assert not fails_over(PLAIN)
    assert name_slot(PLAIN, "relay") == PLAIN


@pytest.mark.parametrize(
    ("url", "named", "options"),
    [
        ("redis+cluster://one,[::1]:7000", "redis+cluster://one,[::1]:7000/acme", ("redis://acme", {})),
        (
            "redis+cluster://:a%3Fb@one,[::1]:7000/",
            "redis+cluster://:a%3Fb@one,[::1]:7000/acme",
            ("redis://:a%3Fb@acme", {}),
        ),
        (
            "rediss+cluster://ann:p@one,[::1]:7000?ssl_ca_certs=/etc/ca.pem",
            "rediss+cluster://ann:p@one,[::1]:7000/acme?ssl_ca_certs=/etc/ca.pem",
            ("rediss://ann:p@acme", {"ssl_ca_certs": "/etc/ca.pem", "ssl_cert_reqs": "required"}),
        ),
    ],
)
def test_any_node_of_a_cluster_is_asked_for_the_slot_of_the_namespace(url: str, named: str, options: object) -> None:
    assert name_slot(url, "acme") == named
    assert name_slot(named, "acme") == named  # processes hand it on
    assert fails_over(named)
    assert redis_options(named) == options
    assert cluster_options(named) == ("acme", [("one", 6379), ("::1", 7000)])
    with pytest.raises(ConfigError, match="Celery has no transport for a cluster"):
        broker_options(named)


@pytest.mark.parametrize("url", ["redis+cluster://one,two/0", "redis+cluster://one/mymaster"])
def test_a_cluster_has_neither_databases_nor_names(url: str) -> None:
    with pytest.raises(ValueError, match="a cluster has neither databases nor names: leave out what follows the host"):
        name_slot(url, "relay")


def test_rabbitmq_is_reached_as_it_is_written_and_verified_by_tls() -> None:
    assert broker_options("amqp://user:pass@mq/relay") == ("amqp://user:pass@mq/relay", {})
    tls = {"broker_use_ssl": {"cert_reqs": ssl.CERT_REQUIRED}}
    assert broker_options("amqps://mq/relay") == ("amqps://mq/relay", tls)


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


SECRET = "hush"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://:hush#hush@store", "a # in the user or password: write %23"),
        ("redis://:hush/hush@store:6379/0", "a / in the user or password: write %2F"),
        ("redis://:hush?hush@store:6379/0", "a ? in the user or password: write %3F"),
        ("redis://:[hush@store:6379/0", "a [ in the user or password: write %5B"),
        ("redis://:hush]@store:6379/0", "a ] in the user or password: write %5D"),
        ("rediss://user:hu@sh/hush@store:6379/0", "a / in the user or password: write %2F"),
        ("redis://:hush hush@store:6379/0", "a blank in the user or password: remove it, or write %20"),
        ("redis://store:6379/0#hush", "a # ends the address: remove it, or where it is in a value write %23"),
        ("redis://store :6379/0", "a blank in the address: remove it"),
        ("redis://:hush@store:6379/main", "the database is not a number: write /0, or leave it out"),
        ("redis://:hush@store:6379/0/1", "the database is not a number: write /0, or leave it out"),
        ("redis://:hush@store?db=main", "the database is not a number: write /0, or leave it out"),
        ("unix:///tmp/store.sock?db=main", "the database is not a number: write /0, or leave it out"),
        ("redis://:hush", "the port is not a number from 1 to 65535: redis://:PASSWORD@host:6379/0"),
        ("redis://:hush@store:0", "the port is not a number from 1 to 65535: redis://:PASSWORD@host:6379/0"),
        ("redis://:hush@store:99999", "the port is not a number from 1 to 65535: redis://:PASSWORD@host:6379/0"),
        ("redis://:hush@[::1", "this is no host: redis://:PASSWORD@host:6379/0"),
        ("redis://:hush@<host>:6379", "this is no host: redis://:PASSWORD@host:6379/0"),
        ("unix://tmp/store.sock", "a unix address has three slashes: unix:///path/to/store.sock"),
        ("redis://store?socket_timeout=3", f"socket_timeout is no parameter here: remove it; known are {KNOWN}"),
        ("redis://store?hush", f"what follows the ? is no parameter here: remove it; known are {KNOWN}"),
        ("redis://store?ssl_cert_reqs=none", "ssl_cert_reqs is for TLS: write rediss://, or remove it"),
        ("rediss://store?ssl_cert_reqs=maybe", "ssl_cert_reqs must be none, optional or required"),
        ("redis://store?health_check_interval=hush", "health_check_interval must be a number of seconds"),
        ("http://:hush@store", f"not a store's address: {FORMS}"),
        (
            "redis+sentinel://:hush@one,two",
            f"the name that the Sentinels have for the store is missing: {SENTINEL_FORM}",
        ),
        (
            "redis+sentinel://:hush@one:26379,two:0/books",
            f"the port is not a number from 1 to 65535: {SENTINEL_FORM}",
        ),
        ("redis+sentinel://:hush@one,t wo/books", "a blank in the address: remove it"),
        ("redis+sentinel://:hush@one,<two>/books", f"this is no host: {SENTINEL_FORM}"),
        ("redis+sentinel://:hush@one/books/main", "the database is not a number: write /0, or leave it out"),
        (
            "redis://one?sentinel_password=hush",
            "sentinel_password is for Sentinels: write redis+sentinel://, or remove it",
        ),
        ("redis://", f"not a store's address: {FORMS}"),
    ],
)
@pytest.mark.parametrize("variable", ["REDIS_URL", "CELERY_BROKER_URL"])
def test_a_wrong_address_is_one_line_that_says_what_to_write(variable: str, url: str, message: str) -> None:
    for insecure in ({}, {"RELAY_REDIS_TLS": "insecure"}):
        with pytest.raises(ConfigError) as caught:
            ProcessSettings.from_environ({variable: url, **insecure})
        assert str(caught.value) == f"{variable}: {message}"
        assert SECRET not in str(caught.value)


PASSWORDS = [
    *("plain", "p@ss", "p:ss", "p%40ss", "100%", "a+b&c=d", "p%23%2F%5B%3Fss", "пароль", "!$'()*,;~^|\"<>{}`"),
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_user_and_password_mean_the_same_to_both(scheme: str, password: str) -> None:
    url = f"{scheme}://us%20er:{password}@store:6380/2"
    address, options = redis_options(url)
    ours = redis.asyncio.Redis.from_url(address, **options).connection_pool.connection_kwargs
    broker, settings = broker_options(url)
    theirs = Connection(broker, ssl=settings.get("broker_use_ssl", False))
    assert ours["username"] == theirs.userid == "us er"
    assert ours["password"] == theirs.password == unquote(password)
    assert (ours["host"], ours["port"], ours["db"]) == ("store", 6380, 2)
    assert (theirs.hostname, theirs.port, theirs.virtual_host) == ("store", 6380, "2")


def test_an_address_without_a_host_is_this_machine() -> None:
    assert redis_options("redis:///1")[0] == broker_options("redis:///1")[0] == "redis://localhost/1"
    assert redis_options("redis://[::1]:6379/1")[0] == "redis://[::1]:6379/1"
