"""Any gateway over HTTP that the YAML can describe: a request made of templates, and checks for its answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

import msgspec
from pydantic import Field, field_validator, model_validator

from relay.config.unmarked import unmarked_expressions
from relay.model import Outcome, Result
from relay.rendering import CompiledContent, TemplateErrors, compile_content
from relay.secret import SecretStr
from relay.sinks.answer_checks import AnswerChecks
from relay.sinks.base import ProbeResult
from relay.sinks.http.auth import Auth, HeaderName, HeaderValue
from relay.sinks.json_paths import JsonPath, text_at
from relay.sinks.retry_after import parse_retry_after
from relay.sinks.sms.content import Message
from relay.sinks.sms.gateway import Gateway, failed_probe, failure_result, parse_money
from relay.sinks.sms.segments import is_gsm
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.tools import Tools
from relay.sinks.urls import SinkUrl, encode_pairs
from relay.transport import Answer, Request, TransportFailure, body_json, call

TEMPLATE_FIELDS = frozenset({"phone", "digits", "text", "sender", "id", "segments", "encoding"})
"""The fields of `sms` in templates: `digits` is the phone without its +, `encoding` is gsm or ucs2."""


class HttpGatewaySettings(SmsSettings, AnswerChecks):
    """A request whose `form`, or JSON `body`, has templates over `sms` and `secret`, and what its answers mean.

    The first check that holds decides; where none does, the outcome is unknown. `id_path` and `cost_path` lead to their
    id and the cost in the JSON of the answer. `relay sinks probe` fetches `probe_url` and shows what is at
    `balance_path`.
    """

    url: SinkUrl
    method: Literal["POST", "PUT"] = "POST"
    auth: Auth | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    form: dict[str, str] | None = None
    body: Any = None
    id_path: JsonPath | None = None
    cost_path: JsonPath | None = None
    probe_url: SinkUrl | None = None
    balance_path: JsonPath | None = None

    @field_validator("auth")
    @classmethod
    def _without_oauth2(cls, auth: Auth | None) -> Auth | None:
        if auth and auth.oauth2:
            raise ValueError("oauth2 is for sinks of type http: give bearer, basic or header")
        return auth

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.form is None) == (self.body is None):
            raise ValueError("give form or body: what is sent, with {{ sms.phone }} and {{ sms.text }} in it")
        if not self.success_if:
            raise ValueError("success_if is missing: how do they say that a text was accepted?")
        self.compiled()
        return self

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown, and the headers that are made of it."""
        yield from super().hidden_values()
        if self.auth:
            yield from self.auth.secrets()

    def compiled(self) -> CompiledContent:
        """Compile the templates. Raise ValueError with all mistakes in them."""
        name, value = ("body", self.body) if self.form is None else ("form", self.form)
        fields = {"sms": TEMPLATE_FIELDS, "secret": frozenset(self.secrets)}
        for path, message in unmarked_expressions(value, (name,), fields):
            raise ValueError(f"{'.'.join(map(str, path))}: {message}")
        try:
            return compile_content(value, name, fields, {})
        except TemplateErrors as error:
            raise ValueError("; ".join(str(error).splitlines())) from None


class HttpGateway(Gateway):
    """Sends as the YAML says. An answer for which no check holds is unknown."""

    type = "sms"
    Settings = HttpGatewaySettings

    def __init__(self, settings: HttpGatewaySettings) -> None:
        super().__init__(settings)
        self._settings = settings
        self._tree = settings.compiled()
        self._hidden = tuple(filter(None, settings.hidden_values()))
        self._secret = {name: secret.get_secret_value() for name, secret in settings.secrets.items()}
        own = {name: value.get_secret_value() for name, value in settings.headers.items()}
        encoding = "application/json" if settings.form is None else "application/x-www-form-urlencoded; charset=utf-8"
        self._auth = settings.auth.as_headers() if settings.auth else {}
        self._headers = {"Content-Type": encoding, **own, **self._auth}

    @property
    def secrets(self) -> Sequence[str]:
        """Return the secrets that templates use, and those of the auth, the headers and the addresses."""
        return self._hidden

    async def send(self, message: Message, tools: Tools) -> Result:
        """Send as the templates say."""
        return self.read(await call(tools.session, self.build_request(message)), message, tools.now())

    def build_request(self, message: Message) -> Request:
        """Build the request of a text. Pure."""
        rendered = self._tree.render({"sms": _template_fields(message), "secret": self._secret})
        if self._settings.form is None:
            body = msgspec.json.encode(rendered)
        else:
            assert isinstance(rendered, Mapping)
            body = encode_pairs("form", rendered).encode()
        return self.request(self._settings.method, self._settings.url, self._headers, body)

    def read(self, answer: Answer, message: Message, now: float) -> Result:
        """Return what an answer means. Pure; `now` (unix seconds) is for Retry-After dates."""
        if isinstance(answer, TransportFailure):
            return failure_result(answer, message, self.secrets)
        checked = self._settings.outcome(answer)
        if checked is None:
            reason = f"{answer.status}: {self._settings.why_no_outcome(answer)}"
            return self.result(Outcome.UNKNOWN, reason, message, answer)
        check, outcome = checked
        content = body_json(answer)
        return self.result(
            outcome, f"{answer.status}: {check} holds", message, answer,
            provider_id=text_at(content, self._settings.id_path),
            cost=parse_money(text_at(content, self._settings.cost_path)),
            after_ms=parse_retry_after(answer.headers.get("Retry-After"), int(now * 1000)),
        )  # fmt: skip

    async def probe(self, tools: Tools) -> ProbeResult | None:
        """Fetch the configured `probe_url`."""
        if self._settings.probe_url is None:
            return None
        answer = await call(tools.session, self.request("GET", self._settings.probe_url, self._auth, b""))
        if isinstance(answer, TransportFailure):
            return failed_probe(answer)
        if answer.status != 200:
            return ProbeResult(ok=False, message=f"{answer.status}: check the sink's auth and probe_url")
        balance = text_at(body_json(answer), self._settings.balance_path)
        return ProbeResult(ok=True, message=f"the balance is {balance}" if balance else "the credentials are accepted")


def _template_fields(message: Message) -> Mapping[str, object]:
    return {
        "phone": message.phone,
        "digits": message.digits,
        "text": message.text,
        "sender": message.sender,
        "id": message.id,
        "segments": message.segments,
        "encoding": "gsm" if is_gsm(message.text) else "ucs2",
    }
