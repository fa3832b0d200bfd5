"""A configuration's text, read with sink types of our own: config knows no sink."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel, ConfigDict

from relay.config.config import Config
from relay.config.load import load
from relay.config.sink import SinkSettings
from relay.errors import ConfigError
from relay.secret import SecretStr

Load = Callable[..., Config]
Errors = Callable[..., list[str]]


class Account(BaseModel):
    model_config = ConfigDict(extra="forbid")

    login: str
    password: SecretStr


class PostSettings(SinkSettings):
    url: str
    account: Account | None = None


@dataclass(frozen=True)
class Kind:
    Settings: type[SinkSettings]
    content_keys: Mapping[str, bool]
    exclusive_keys: Sequence[Set[str]] = field(default=())
    takes_all_keys: bool = False

    def check_constant(self, key: str, value: object) -> str | None:
        return f"{value!r} is the same" if key == "phone" and value == "contact.phone" else None


SINK_TYPES = {
    "post": Kind(PostSettings, {"path": False, "body": False, "form": False}, [frozenset({"body", "form"})]),
    "text": Kind(SinkSettings, {"phone": True, "text": True}),
}

HEAD = """\
sources:
  acme: {type: amocrm, token: long-enough}
sinks:
  books: {type: post, url: "https://books.example"}
  sms: {type: text}
tables:
  managers: {17: "+79161234567"}
templates:
  invoice: {id: "{{ lead.id }}"}
routes:
"""
"""Ten lines that are right: routes begin on line 11."""


@pytest.fixture
def load_text() -> Load:
    def load_text(text: str, **environ: str) -> Config:
        return load(text, file="f", environ=environ, sink_types=SINK_TYPES)

    return load_text


@pytest.fixture
def errors_in(load_text: Load) -> Errors:
    """Return the findings that a text is refused for, without the file's name."""

    def errors_in(text: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_text(text, **environ)
        return [line.removeprefix("f:") for line in str(caught.value).splitlines()]

    return errors_in


@pytest.fixture
def route_errors(errors_in: Errors) -> Errors:
    """Return the findings of routes that begin on line 11, below a head that is right."""

    def route_errors(routes: str, **environ: str) -> list[str]:
        return errors_in(HEAD + routes, **environ)

    return route_errors


@pytest.fixture
def load_routes(load_text: Load) -> Load:
    """Load routes below the same head."""
    return lambda routes, **environ: load_text(HEAD + routes, **environ)


@pytest.fixture
def load_with_trial() -> Load:
    """Load a text that may also have sinks of the type `trial`, which take the keys of every type."""
    sink_types = {**SINK_TYPES, "trial": Kind(SinkSettings, {}, takes_all_keys=True)}
    return lambda text: load(text, file="f", environ={}, sink_types=sink_types)
