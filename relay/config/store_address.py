"""Parse the address of a store once, for redis-py (the store) and for kombu (Celery's broker).

The two libraries read one address differently: kombu fails on parameters that it does not know and lets the address
override its settings, redis-py takes a database that is no number for 0. So an address is parsed and checked here, and
each library gets its own spelling (`store_options.py`, `broker_address.py`). Messages never show any part of what may
be a password.

`redis+sentinel://` names Sentinels, who know where the store is, and the name that they have for it. `redis+cluster://`
names nodes of a cluster, any of which knows where a slot is; the store is one slot, that of the relay's namespace.

`rediss://` verifies the certificate. A self-signed one (Heroku's) is accepted by `?ssl_cert_reqs=none` in the address,
or for all addresses by `RELAY_REDIS_TLS=insecure`.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from relay.errors import ConfigError

_FORMS: Final = "redis://host:6379/0, rediss://…, redis+sentinel://…/NAME, redis+cluster://… or unix:///path"
_SENTINEL_FORM: Final = "redis+sentinel://:PASSWORD@host:26379,host2:26379/mymaster/0"
_CLUSTER_FORM: Final = "redis+cluster://:PASSWORD@host:6379,host2:6379"
_SCHEME: Final = re.compile(r"(rediss?(?:\+sentinel|\+cluster)?|unix)://(.+)", re.DOTALL)
_MASTER: Final = re.compile(r"[\w.-]+", re.ASCII)  # as Sentinels allow it
_SENTINEL_PORT: Final = 26379
_NODE_PORT: Final = 6379
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+(?:%25[\w.-]+)?\]|[\w.-]*")
_LAST_PORT, _LAST_DATABASE = 65535, 9999
_RESERVED: Final = {"/": "%2F", "#": "%23", "?": "%3F", "[": "%5B", "]": "%5D"}
VERIFY_MODES: Final[Mapping[str, ssl.VerifyMode]] = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_TLS_PARAMETERS: Final = (
    *("ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_password"),
    *("ssl_check_hostname", "ssl_ciphers"),
)
STORE_PARAMETERS: Final = ("client_name", "health_check_interval")  # the broker has settings of its own
_SET_BY_THE_RELAY: Final = (
    *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "retry_on_timeout", "max_connections", "timeout"),
    *("protocol", "decode_responses", "encoding", "username", "password", "family", "tls"),
)
SENTINEL_PARAMETERS: Final = ("sentinel_username", "sentinel_password")  # Sentinels have users of their own
_PARAMETERS: Final = ("db", *SENTINEL_PARAMETERS, *STORE_PARAMETERS, *_TLS_PARAMETERS)


@dataclass(frozen=True)
class StoreAddress:
    """A parsed address of the store. `userinfo` is encoded, and ends with @ where there is any."""

    scheme: str
    userinfo: str = field(repr=False)
    server: str  # host and port; of unix the encoded path; of Sentinels and nodes all of theirs, and the store's name
    database: str  # "" where none is named
    parameters: Mapping[str, str] = field(repr=False)
    tls: Mapping[str, Any] = field(repr=False)
    sentinels: Sequence[tuple[str, int]] = ()  # host and port of each
    nodes: Sequence[tuple[str, int]] = ()  # likewise, of a cluster

    @property
    def encrypted(self) -> bool:
        """Whether it is reached by TLS."""
        return self.scheme.startswith("rediss")

    @property
    def name(self) -> str:
        """The name that Sentinels have for the store, or of a cluster the namespace whose slot it is; else ""."""
        return self.server.partition("/")[2] if self.sentinels or self.nodes else ""


def parse_store_address(text: str) -> StoreAddress:
    """Parse an address. Raises ValueError, whose message says what to write and shows no part of the address."""
    found = _SCHEME.fullmatch(text)
    if not found:
        raise ValueError(f"not a store's address: {_FORMS}")
    userinfo, server, query = _split(found[1], found[2])
    if "#" in server or "#" in query:
        raise ValueError("a # ends the address: remove it, or where it is in a value write %23")
    if re.search(r"\s", server + query):
        raise ValueError("a blank in the address: remove it")
    parameters = _parse_parameters(query, found[1])
    sentinels: Sequence[tuple[str, int]] = ()
    nodes: Sequence[tuple[str, int]] = ()
    if found[1] == "unix":
        server, database = _parse_unix(server)
    elif found[1].endswith("+sentinel"):
        sentinels, server, database = _parse_sentinels(server)
    elif found[1].endswith("+cluster"):
        (nodes, server), database = _parse_nodes(server), ""
    else:
        server, database = _parse_server(server)
    if nodes and "db" in parameters:
        raise ValueError("db is not for a cluster, which has no databases: remove it")
    return StoreAddress(
        scheme=found[1],
        userinfo=_encode_userinfo(userinfo),
        server=server,
        database=_check_database(parameters.get("db", database)),
        parameters={name: parameters[name] for name in (*STORE_PARAMETERS, *SENTINEL_PARAMETERS) if name in parameters},
        tls=_parse_tls(parameters),
        sentinels=sentinels,
        nodes=nodes,
    )


def read_store_address(url: str) -> StoreAddress:
    """Parse an address that a process was started with. Raises ConfigError."""
    try:
        return parse_store_address(url)
    except ValueError as error:
        raise ConfigError(f"the store's address: {error}") from error


def is_cluster(url: str) -> bool:
    """Return whether an address names nodes of a cluster."""
    return bool(read_store_address(url).nodes)


def fails_over(url: str) -> bool:
    """Return whether a replica may become the store: with Sentinels, and in a cluster."""
    address = read_store_address(url)
    return bool(address.sentinels or address.nodes)


def name_slot(url: str, namespace: str) -> str:
    """Return the address of a cluster with the namespace whose slot is the store; any other address as it is.

    Raises ValueError where another one is named.
    """
    address = read_store_address(url)
    if not address.nodes or address.name == namespace:
        return url
    if address.name:
        raise ValueError(f"a cluster has neither databases nor names: leave out what follows the host: {_CLUSTER_FORM}")
    userinfo, server, query = _split(address.scheme, url.partition("://")[2])
    user = f"{userinfo}@" if userinfo else ""
    return f"{address.scheme}://{user}{server.rstrip('/')}/{namespace}" + (f"?{query}" if query else "")


def move_slot(url: str, namespace: str) -> str:
    """Return the address of a cluster with another namespace whose slot is meant; any other address as it is."""
    address = read_store_address(url)
    if not address.nodes:
        return url
    userinfo, server, query = _split(address.scheme, url.partition("://")[2])
    user = f"{userinfo}@" if userinfo else ""
    return f"{address.scheme}://{user}{server.partition('/')[0]}/{namespace}" + (f"?{query}" if query else "")


def accept_any_certificate(url: str) -> str:
    """Return an address with the parameter that its certificate is not verified, unless it has that parameter."""
    address = read_store_address(url)
    if not address.encrypted or "ssl_cert_reqs" in address.tls:
        return url
    has_query = bool(_split(address.scheme, url.partition("://")[2])[2])
    return url + ("&" if has_query else "?") + "ssl_cert_reqs=none"


def _split(scheme: str, rest: str) -> tuple[str, str, str]:
    """Return user and password, the server, and the query. A password ends at the last @, whatever is in it."""
    if scheme == "unix" and rest.startswith("/"):
        path, _, query = rest.partition("?")
        return "", path, query
    address, _, query = rest.partition("?")
    if "@" in query and not query.startswith(tuple(f"{name}=" for name in _PARAMETERS)):
        address, query = rest, ""  # this ? is in the password, as one before the last @
    userinfo, _, server = address.rpartition("@")
    if not query:
        server, _, query = server.partition("?")
    return userinfo, server, query


def _encode_userinfo(userinfo: str) -> str:
    """Return user and password with every character encoded that either library would misread."""
    for character in userinfo:
        if character.isspace():
            raise ValueError("a blank in the user or password: remove it, or write %20")
        if character in _RESERVED:
            raise ValueError(f"a {character} in the user or password: write {_RESERVED[character]}")
    if not userinfo:
        return ""
    user, colon, password = userinfo.partition(":")
    return f"{quote(unquote(user), safe='')}{colon}{quote(unquote(password), safe='')}@"


def _parse_server(text: str) -> tuple[str, str]:
    """Return host with port, and the database."""
    server, _, database = text.partition("/")
    host, port = _parse_host(server, "redis://:PASSWORD@host:6379/0")
    return host + (f":{port}" if port else ""), database


def _parse_host(text: str, form: str) -> tuple[str, int | None]:
    """Return host and port. Raises ValueError that shows the `form` of an address."""
    host = _HOST.match(text)
    assert host is not None  # it also matches nothing
    port = text[host.end() :]
    if port and not (port.startswith(":") and _is_number(port[1:], _LAST_PORT) and port != ":0"):
        message = f"the port is not a number from 1 to {_LAST_PORT}" if port.startswith(":") else "this is no host"
        raise ValueError(f"{message}: {form}")
    return host[0] or "localhost", int(port[1:]) if port else None


def _parse_sentinels(text: str) -> tuple[Sequence[tuple[str, int]], str, str]:
    """Return host and port of each Sentinel, all of them with the store's name as one text, and the database."""
    servers, _, path = text.partition("/")
    master, _, database = path.partition("/")
    if not _MASTER.fullmatch(master):
        raise ValueError(f"the name that the Sentinels have for the store is missing: {_SENTINEL_FORM}")
    found = [_parse_host(server, _SENTINEL_FORM) for server in servers.split(",")]
    sentinels = [(host, port or _SENTINEL_PORT) for host, port in found]
    return sentinels, f"{','.join(f'{host}:{port}' for host, port in sentinels)}/{master}", database


def _parse_nodes(text: str) -> tuple[Sequence[tuple[str, int]], str]:
    """Return host and port of each node, and all of them with the store's name as one text."""
    servers, _, name = text.partition("/")
    found = [_parse_host(server, _CLUSTER_FORM) for server in servers.split(",")]
    nodes = [(host, port or _NODE_PORT) for host, port in found]
    return nodes, f"{','.join(f'{host}:{port}' for host, port in nodes)}/{name}"


def _parse_unix(path: str) -> tuple[str, str]:
    if not path.startswith("/"):
        raise ValueError("a unix address has three slashes: unix:///path/to/store.sock")
    return quote(unquote(path)), ""


def _check_database(database: str) -> str:
    if database and not _is_number(database, _LAST_DATABASE):
        raise ValueError("the database is not a number: write /0, or leave it out")
    return database


def _is_number(text: str, maximum: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7 and int(text) <= maximum


def _parse_parameters(query: str, scheme: str) -> dict[str, str]:
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    for name in parameters:
        if name not in _PARAMETERS:  # only a name that others know is shown: else it may be a password's end
            shown = name if name in _SET_BY_THE_RELAY else "what follows the ?"
            raise ValueError(f"{shown} is no parameter here: remove it; known are {', '.join(sorted(_PARAMETERS))}")
        if name in SENTINEL_PARAMETERS and not scheme.endswith("+sentinel"):
            raise ValueError(f"{name} is for Sentinels: write redis+sentinel://, or remove it")
        if name in _TLS_PARAMETERS and not scheme.startswith("rediss"):
            raise ValueError(f"{name} is for TLS: write rediss://, or remove it")
    interval = parameters.get("health_check_interval", "0")
    if not _is_number(interval, 86_400):
        raise ValueError("health_check_interval must be a number of seconds")
    return parameters


def _parse_tls(parameters: Mapping[str, str]) -> dict[str, Any]:
    tls: dict[str, Any] = {name: value for name, value in parameters.items() if name in _TLS_PARAMETERS}
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() not in {"false", "no", "0"}
    if verify_mode(tls) not in VERIFY_MODES:
        raise ValueError("ssl_cert_reqs must be none, optional or required")
    return tls


def verify_mode(tls: Mapping[str, Any]) -> str:
    """Return how certificates are verified: none, optional or required."""
    return str(tls.get("ssl_cert_reqs", "required")).lower().removeprefix("cert_")  # CERT_NONE is Celery's spelling
