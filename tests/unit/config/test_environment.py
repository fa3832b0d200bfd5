"""What a process reads from its environment."""

import pytest

from relay.config.environment import ProcessSettings
from relay.config.proxy_environment import NO_PROXIES
from relay.errors import ConfigError

FORMS = "redis://host:6379/0, rediss://…, redis+sentinel://…/NAME, redis+cluster://… or unix:///path"


def settings(**environ: str) -> ProcessSettings:
    return ProcessSettings.from_environ(environ, terminal=False)


def test_nothing_set_means_the_documented_defaults() -> None:
    assert settings() == ProcessSettings(
        config_path="config/relay.yaml",
        redis_url=None,
        broker_url=None,
        namespace="relay",
        host="0.0.0.0",
        port=8000,
        web_concurrency=1,
        trusted_proxies=("127.0.0.1", "::1"),
        admin_token=None,
        admin_read_token=None,
        hirefire_token=None,
        secret_key=None,
        durability="warn",
        waitaof="0",
        log="json",
        sandbox_port=None,
        sandbox_smtp_port=None,
        workers=1,
        take_over=False,
        ready_fd=None,
        proxies=NO_PROXIES,
        shard=None,
    )


def test_everything_can_be_set() -> None:
    found = settings(
        RELAY_CONFIG="/etc/relay.yaml",
        REDIS_URL="redis://store:6379/1",
        CELERY_BROKER_URL="redis://broker:6379/2",
        RELAY_NAMESPACE="test-7",
        RELAY_HOST="::1",
        PORT="5000",
        WEB_CONCURRENCY="4",
        RELAY_TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.7,2001:db8::/32",
        RELAY_ADMIN_TOKEN="open sesame, please",
        RELAY_SECRET_KEY="0123456789abcdef0123456789abcdef",
        RELAY_DURABILITY="strict",
        RELAY_LOG="console",
        RELAY_WAITAOF="1",
        RELAY_SANDBOX_PORT="8701",
        RELAY_SANDBOX_SMTP_PORT="8702",
    )
    assert (found.config_path, found.redis_url, found.broker_url) == (
        "/etc/relay.yaml",
        "redis://store:6379/1",
        "redis://broker:6379/2",
    )
    assert (found.namespace, found.port, found.web_concurrency) == ("test-7", 5000, 4)
    assert found.trusted_proxies == ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")
    assert found.admin_token
    assert found.admin_token.get_secret_value() == "open sesame, please"
    assert found.secret_key
    assert found.secret_key.get_secret_value() == "0123456789abcdef0123456789abcdef"
    assert (found.durability, found.log) == ("strict", "console")
    assert (found.sandbox_port, found.sandbox_smtp_port) == (8701, 8702)
    assert found.waitaof == "1"


def test_the_broker_is_the_store_unless_set_otherwise() -> None:
    assert settings(REDIS_URL="redis://store").broker_url == "redis://store"


@pytest.mark.parametrize("address", ["amqp://guest:guest@mq:5672//", "amqps://user:p%40ss@mq/relay"])
def test_the_broker_may_be_rabbitmq(address: str) -> None:
    assert settings(REDIS_URL="redis://store", CELERY_BROKER_URL=address).broker_url == address


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings(PORT="", RELAY_ADMIN_TOKEN=" ", REDIS_URL="") == settings()


def test_people_at_a_terminal_get_the_console_log() -> None:
    assert ProcessSettings.from_environ({}, terminal=True).log == "console"
    assert ProcessSettings.from_environ({"RELAY_LOG": "json"}, terminal=True).log == "json"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "RELAY_TRUSTED_PROXIES",
            "10.0.0.1,proxy.example",
            "RELAY_TRUSTED_PROXIES: 'proxy.example' is no proxy's address or network, such as 10.1.2.3 or 10.0.0.0/8",
        ),
        (
            "RELAY_TRUSTED_PROXIES",
            "10.0.0.1/8",
            "RELAY_TRUSTED_PROXIES: '10.0.0.1/8' is no proxy's address or network, such as 10.1.2.3 or 10.0.0.0/8: "
            "10.0.0.1/8 has host bits set",
        ),
        ("PORT", "http", "PORT: 'http' is not a number from 1 to 65535"),
        ("PORT", "0", "PORT: '0' is not a number from 1 to 65535"),
        ("PORT", "٣", "PORT: '٣' is not a number from 1 to 65535"),
        ("WEB_CONCURRENCY", "1000", "WEB_CONCURRENCY: '1000' is not a number from 1 to 256"),
        ("RELAY_LOG", "jsno", "RELAY_LOG: 'jsno' is unknown, did you mean json?"),
        ("RELAY_DURABILITY", "yes", "RELAY_DURABILITY: 'yes' is unknown, known: strict, warn"),
        ("RELAY_NAMESPACE", "A:B", "RELAY_NAMESPACE: 'A:B' must be a-z, 0-9, - and _, at most 32 characters"),
        ("RELAY_ADMIN_TOKEN", "open sesame", "RELAY_ADMIN_TOKEN: 11 characters are too few: openssl rand -hex 32"),
        ("RELAY_ADMIN_READ_TOKEN", "look", "RELAY_ADMIN_READ_TOKEN: 4 characters are too few: openssl rand -hex 32"),
        ("RELAY_SECRET_KEY", "hush", "RELAY_SECRET_KEY: 4 characters are too few: openssl rand -base64 32"),
        ("CELERY_BROKER_URL", "amqp://guest:hush@host:5672/v?x=1",
         "CELERY_BROKER_URL: not a broker's address: amqp://USER:PASSWORD@host:5672/VHOST"),
        ("CELERY_BROKER_URL", "amqp://:0/", "CELERY_BROKER_URL: not a broker's address: amqp://USER:PASSWORD@host:5672/VHOST"),
        ("REDIS_URL", "amqp://host", f"REDIS_URL: not a store's address: {FORMS}"),
        ("REDIS_URL", "localhost:6379", f"REDIS_URL: not a store's address: {FORMS}"),
    ],
)  # fmt: skip
def test_a_bad_value_is_reported_with_its_variable(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**{variable: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "variable", ["RELAY_ADMIN_TOKEN", "RELAY_ADMIN_READ_TOKEN", "HIREFIRE_TOKEN", "RELAY_SECRET_KEY"]
)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("0123456789abcdef0123456789abcdef\n", "at its end, which was pasted with it: write it without"),
        ("0123456789abcdef0123456789abcdef\r\n", "at its end, which was pasted with it: write it without"),
        ("0123456789abcdef\n0123456789abcdef", "in it: write it on one line"),
    ],
)
def test_a_secret_with_a_line_break_is_refused_and_not_shown(variable: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**{variable: value})
    assert str(caught.value) == f"{variable} has a line break {problem}"


def test_all_bad_values_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        settings(PORT="x", RELAY_LOG="y")
    assert len(str(caught.value).splitlines()) == 2


def test_passwords_are_in_no_repr() -> None:
    found = settings(REDIS_URL="redis://:hush-hush@store", RELAY_ADMIN_TOKEN="open-sesame-please")
    assert "hush" not in repr(found)
    assert "sesame" not in repr(found)


def test_self_signed_certificates_can_be_accepted_for_addresses_that_others_write() -> None:
    """Heroku sets REDIS_URL itself, without a parameter."""
    found = settings(REDIS_URL="rediss://:p@store:6380", RELAY_REDIS_TLS="insecure")
    assert found.redis_url == found.broker_url == "rediss://:p@store:6380?ssl_cert_reqs=none"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "fe80::1", "localhost", "relay.internal"])
def test_the_web_process_listens_on_an_address_or_a_name(host: str) -> None:
    assert settings(RELAY_HOST=host).host == host


@pytest.mark.parametrize("host", ["http://0.0.0.0", "127.0.0.1:8000x", "a b", "[::]", "*"])
def test_what_is_no_address_to_listen_on_is_said_to_be_none(host: str) -> None:
    with pytest.raises(ConfigError, match=r"RELAY_HOST: .* is not an address to listen on, such as 127\.0\.0\.1 or ::"):
        settings(RELAY_HOST=host)


def test_the_read_token_is_another_one() -> None:
    with pytest.raises(ConfigError) as caught:
        settings(RELAY_ADMIN_TOKEN="open sesame, please", RELAY_ADMIN_READ_TOKEN="open sesame, please")
    assert str(caught.value) == (
        "RELAY_ADMIN_READ_TOKEN is the same as RELAY_ADMIN_TOKEN, which may act: draw another, openssl rand -hex 32"
    )


@pytest.mark.parametrize(
    ("given", "waitaof"),
    [
        ({"REDIS_URL": "redis+sentinel://one,two/books"}, "replica"),
        ({"REDIS_URL": "redis+sentinel://one,two/books", "RELAY_WAITAOF": "0"}, "0"),
        ({"REDIS_URL": "redis+cluster://one,two", "CELERY_BROKER_URL": "redis://bells"}, "replica"),
        ({"REDIS_URL": "redis://one", "RELAY_WAITAOF": "replica"}, "replica"),
        ({"REDIS_URL": "redis://one"}, "0"),
    ],
)
def test_where_a_replica_may_become_the_store_it_must_have_what_counts(given: dict[str, str], waitaof: str) -> None:
    assert ProcessSettings.from_environ(given).waitaof == waitaof


def test_a_cluster_is_the_slot_of_the_namespace_and_wants_a_broker_of_its_own() -> None:
    given = {"REDIS_URL": "redis+cluster://one", "RELAY_NAMESPACE": "acme"}
    with pytest.raises(ConfigError, match="CELERY_BROKER_URL: set it, REDIS_URL is a cluster"):
        settings(**given)
    with pytest.raises(ConfigError, match="CELERY_BROKER_URL: Celery has no transport for a cluster"):
        settings(**given, CELERY_BROKER_URL="redis+cluster://one")
    assert settings(**given, CELERY_BROKER_URL="amqp://mq").redis_url == "redis+cluster://one/acme"
    with pytest.raises(ConfigError, match="REDIS_URL: a cluster has neither databases nor names"):
        settings(REDIS_URL="redis+cluster://one/0", CELERY_BROKER_URL="amqp://mq")
