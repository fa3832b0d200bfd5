"""The environment of a process: what it must know before the YAML. Nothing else reads os.environ, or `.env`.

| variable | meaning | default |
|---|---|---|
| `RELAY_CONFIG` | the configuration file | config/relay.yaml |
| `REDIS_URL` | the store | none: only `relay dev` and `relay demo` run without, on an embedded one |
| `CELERY_BROKER_URL` | the broker of the bells: a server as the store's, or RabbitMQ by `amqp://` | the store |
| `RELAY_REDIS_TLS` | `verify` certificates of `rediss://`, or `insecure` for self-signed ones (Heroku) | verify |
| `RELAY_NAMESPACE` | prefix of every key, so that two relays can share one server | relay |
| `RELAY_SHARD` | for commands: only this shard, `00` is the first | all shards |
| `RELAY_HOST`, `PORT`, `WEB_CONCURRENCY` | the web process | 0.0.0.0, 8000, 1 |
| `RELAY_TRUSTED_PROXIES` | proxies whose `X-Forwarded-For` and `-Proto` count; `*`: every peer's | 127.0.0.1,::1 |
| `RELAY_ADMIN_TOKEN` | opens /admin, /metrics and the detail of /readyz to other machines | none: this machine only |
| `RELAY_ADMIN_READ_TOKEN` | likewise, to look at and not to act | none |
| `HIREFIRE_TOKEN` | opens /hirefire/<token>/info, which HireFire scales workers by | none: 404 |
| `RELAY_SECRET_KEY` | encrypts OAuth tokens in the store; 32 characters or more | none: no OAuth with amoCRM |
| `RELAY_DURABILITY` | `strict` refuses a store that may lose what it confirmed, `warn` only warns | warn |
| `RELAY_WAITAOF` | `1`: what is acknowledged is on the disk of the store, `replica`: also of a replica | install.md |
| `RELAY_LOG` | `console` or `json` | console on a terminal |
| `RELAY_WORKERS` | the workers of `relay up` | 1 |
| `RELAY_TAKE_OVER` | `1`: as `--take-over`, for one start; the commands hand it on to their processes | 0 |
| `RELAY_READY_FD` | set by `relay up`: the pipe to which its processes say that they are ready | none |
| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` | egress proxies of sinks and accounts that name none | none |
| `NO_PROXY` | what is called without: hosts, domains, networks, separated by commas | nothing |
| `OTEL_…` | traces, as OpenTelemetry's SDK reads them (docs/operations.md) | none |
| `RELAY_SANDBOX_PORT`, `RELAY_SANDBOX_SMTP_PORT` | the fake vendors of `relay dev` and `relay demo` | free ones |
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, cast

from relay.config.broker_address import check_amqp_address, is_amqp
from relay.config.env_file import read_env_file
from relay.config.findings import format_value
from relay.config.line_ends import line_break_in_secret
from relay.config.proxy_environment import NO_PROXIES, ProxyRules
from relay.config.store_address import accept_any_certificate, fails_over, is_cluster, name_slot, parse_store_address
from relay.config.suggestions import did_you_mean
from relay.config.trusted_proxies import THIS_MACHINE, TRUSTED_PROXIES, parse_trusted_proxies
from relay.errors import ConfigError
from relay.printable import escape_line
from relay.secret import SecretStr

SECRET_KEY = "RELAY_SECRET_KEY"
ADMIN_TOKEN, ADMIN_READ_TOKEN = "RELAY_ADMIN_TOKEN", "RELAY_ADMIN_READ_TOKEN"
TAKE_OVER = "RELAY_TAKE_OVER"
CONFIG_VARIABLES = ("RELAY_CONFIG",)
STORE_VARIABLES = (*CONFIG_VARIABLES, "REDIS_URL", "CELERY_BROKER_URL", "RELAY_NAMESPACE", "RELAY_REDIS_TLS")
"""What a command that only looks must know."""
_NO_CLUSTER = "Celery has no transport for a cluster: give it a server of its own, redis://… or amqp://…"
_CLUSTER_NEEDS_BROKER = "set it, REDIS_URL is a cluster and Celery has no transport for one: redis://… or amqp://…"
_MIN_KEY_LENGTH = 32
_MIN_TOKEN_LENGTH = 16  # a shorter one can be guessed, whatever the limit on guesses
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")  # a name or IPv4 address, or an IPv6 one
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def environ() -> dict[str, str]:
    """Return the process's environment, with what `.env` in the working folder adds to it. Raises ConfigError."""
    return {**read_env_file(Path.cwd()), **os.environ}


def hand_on(prefix: str) -> dict[str, str]:
    """Return the variables with a prefix, those of `.env` set for a library that reads its own. Raises ConfigError."""
    found = {name: value for name, value in environ().items() if name.startswith(prefix)}
    os.environ.update(found)
    return found


@dataclass(frozen=True)
class ProcessSettings:
    """The settings of a process. Addresses may hold passwords, so they are not in the repr."""

    config_path: str
    redis_url: str | None = field(repr=False)
    broker_url: str | None = field(repr=False)
    namespace: str
    shard: str | None
    host: str
    port: int
    web_concurrency: int
    trusted_proxies: tuple[str, ...]
    admin_token: SecretStr | None
    admin_read_token: SecretStr | None
    hirefire_token: SecretStr | None
    secret_key: SecretStr | None
    durability: Literal["warn", "strict"]
    waitaof: Literal["0", "1", "replica"]
    log: Literal["console", "json"]
    sandbox_port: int | None
    sandbox_smtp_port: int | None
    workers: int
    take_over: bool
    ready_fd: int | None
    proxies: ProxyRules

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, terminal: bool | None = None) -> Self:
        """Read the variables above; an empty one counts as not set. Raises ConfigError with a line for each bad one.

        `terminal`: whether people read the log, by default whether stderr is a terminal.
        """
        read = _VariableReader(environ)
        insecure = read.choice("RELAY_REDIS_TLS", ("verify", "insecure"), "verify") == "insecure"
        namespace = read.namespace("RELAY_NAMESPACE", "relay")
        redis_url = read.store_address("REDIS_URL", insecure, namespace)
        terminal = sys.stderr.isatty() if terminal is None else terminal
        settings = cls(
            config_path=read.text("RELAY_CONFIG") or "config/relay.yaml",
            redis_url=redis_url,
            broker_url=read.broker_address("CELERY_BROKER_URL", insecure, redis_url),
            namespace=namespace,
            shard=read.text("RELAY_SHARD"),
            host=read.host("RELAY_HOST", "0.0.0.0"),
            port=read.number("PORT", 65535) or 8000,
            web_concurrency=read.number("WEB_CONCURRENCY", 256) or 1,
            trusted_proxies=read.trusted_proxies(),
            admin_token=read.token(ADMIN_TOKEN),
            admin_read_token=read.read_token(ADMIN_READ_TOKEN),
            hirefire_token=read.secret("HIREFIRE_TOKEN"),
            secret_key=read.secret_key(SECRET_KEY),
            durability=cast(Literal["warn", "strict"], read.choice("RELAY_DURABILITY", ("warn", "strict"), "warn")),
            waitaof=read.waitaof(redis_url),
            log=cast(
                Literal["console", "json"],
                read.choice("RELAY_LOG", ("console", "json"), "console" if terminal else "json"),
            ),
            sandbox_port=read.number("RELAY_SANDBOX_PORT", 65535),
            sandbox_smtp_port=read.number("RELAY_SANDBOX_SMTP_PORT", 65535),
            workers=read.number("RELAY_WORKERS", 256) or 1,
            take_over=read.choice(TAKE_OVER, ("0", "1"), "0") == "1",
            ready_fd=read.number("RELAY_READY_FD", 65535),
            proxies=read.proxies(),
        )
        if read.problems:
            raise ConfigError("\n".join(read.problems))
        return settings


class _VariableReader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def secret(self, name: str) -> SecretStr | None:
        """Read a secret, which must be one line. What is wrong with it is said without showing it."""
        text = self.text(name)
        if text is None:
            return None
        if problem := line_break_in_secret(self._environ[name]):
            self.problems.append(f"{name} {problem}")
        return SecretStr(text)

    def secret_key(self, name: str) -> SecretStr | None:
        return self._long_secret(name, _MIN_KEY_LENGTH, "openssl rand -base64 32")

    def token(self, name: str) -> SecretStr | None:
        return self._long_secret(name, _MIN_TOKEN_LENGTH, "openssl rand -hex 32")

    def read_token(self, name: str) -> SecretStr | None:
        if (text := self.text(name)) and text == self.text(ADMIN_TOKEN):
            self.problems.append(
                f"{name} is the same as {ADMIN_TOKEN}, which may act: draw another, openssl rand -hex 32"
            )
        return self.token(name)

    def _long_secret(self, name: str, least: int, draw: str) -> SecretStr | None:
        secret = self.secret(name)
        if secret is not None and len(secret) < least:
            self.problems.append(f"{name}: {len(secret)} characters are too few: {draw}")
        return secret

    def number(self, name: str, maximum: int) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= maximum:
            return int(text)
        self.problems.append(f"{name}: {format_value(text)} is not a number from 1 to {maximum}")
        return None

    def host(self, name: str, default: str) -> str:
        text = self.text(name) or default
        if not _HOST.fullmatch(text):
            self.problems.append(
                f"{name}: {format_value(text)} is not an address to listen on, such as 127.0.0.1 or ::"
            )
        return text

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        text = self.text(name) or default
        if text not in choices:
            self.problems.append(f"{name}: {format_value(text)} is unknown, {did_you_mean(text, choices)}")
        return text

    def waitaof(self, redis_url: str | None) -> Literal["0", "1", "replica"]:
        """Read what counts as written. A failover loses what no replica has: where one may happen, one is asked."""
        default = "replica" if redis_url is not None and fails_over(redis_url) else "0"
        text = self.choice("RELAY_WAITAOF", ("0", "1", "replica"), default)
        return cast(Literal["0", "1", "replica"], text)

    def address(self, name: str, insecure: bool) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            parse_store_address(text)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return None
        return accept_any_certificate(text) if insecure else text

    def store_address(self, name: str, insecure: bool, namespace: str) -> str | None:
        """Read the store's address; that of a cluster then names the namespace, whose slot the store is."""
        address = self.address(name, insecure)
        try:
            return address and name_slot(address, namespace)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return None

    def broker_address(self, name: str, insecure: bool, redis_url: str | None) -> str | None:
        """Read the broker's address, by default the store's."""
        text = self.text(name)
        if text is None or not is_amqp(text):
            address = self.address(name, insecure)
            used = address or redis_url
            if used and is_cluster(used):
                self.problems.append(f"{name}: {_NO_CLUSTER if address else _CLUSTER_NEEDS_BROKER}")
            return used
        try:
            check_amqp_address(text)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
        return text

    def trusted_proxies(self) -> tuple[str, ...]:
        try:
            return parse_trusted_proxies(self.text(TRUSTED_PROXIES) or "") or THIS_MACHINE
        except ValueError as error:
            self.problems.append(f"{TRUSTED_PROXIES}: {escape_line(str(error))}")
            return THIS_MACHINE

    def proxies(self) -> ProxyRules:
        try:
            return ProxyRules.from_environ(self._environ)
        except ValueError as error:
            self.problems.append(str(error))
            return NO_PROXIES

    def namespace(self, name: str, default: str) -> str:
        text = self.text(name) or default
        if not _NAMESPACE.fullmatch(text):
            self.problems.append(f"{name}: {format_value(text)} must be a-z, 0-9, - and _, at most 32 characters")
        return text
