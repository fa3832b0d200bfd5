"""How the mappings and lists of the file are written: for whoever wrote something else in their place. Pure."""

import json
from collections.abc import Mapping
from typing import Final

from relay.errors import YamlPath

_MAPPINGS: Final[Mapping[str, str]] = {
    "sources": 'acme: {type: amocrm, token: "${ACME_HOOK_TOKEN}"}',
    "sinks": "console: {type: log}",
    "tables": 'managers: {102525: "+79161234567"}',
    "templates": 'invoice: {id: "{{ lead.id }}"}',
    "ingress": "{max_body: 1MiB}",
    "retention": "{finished: 7d}",
    "worker": "{batch: 200}",
    "subscribers": "{timeout: 2s}",
    "breaker": "{failures: 50%, minimum: 10, window: 1m}",
    "account": "{subdomain: acme, id: 7039099}",
    "api": '{token: "${ACME_API_TOKEN}"}',
    "oauth": "{client_id: …, client_secret: …, redirect_uri: …, refresh_token: …}",
    "auth": '{bearer: "${TOKEN}"}, {basic: {username: …, password: …}} or {header: {name: …, value: …}}',
    "basic": "{username: acme, password: …}",
    "header": "{name: X-Api-Key, value: …}",
    "oauth2": "{token_url: …, client_id: …, client_secret: …}",
    "headers": '{X-Company: "17"}',
    "query": "{account: acme}",
    "probe": "{path: /ping}",
    "retry_header": "{name: X-Retry-After-Ms, unit: ms}",
    "client_certificate": "{cert: us.pem, key: us.key}",
    "lookup": "{path: /invoices, query: {number: <number>}, id_path: id}",
    "needs": "{customer: {lookup: {path: …, query: {email: <email>}, id_path: id}}}",
    "create": "{path: /customers, body: {email: <email>}, id_path: id}",
    "secrets": '{key: "${SMS_KEY}"}',
    "form": '{to: "{{ sms.phone }}", text: "{{ sms.text }}"}',
    **dict.fromkeys(("success_if", "already_if", "found_if"), "{status: 200}"),
    **dict.fromkeys(("retry_if", "throttled_if", "blocked_if", "rejected_if"), "{status: 429}"),
}
_LISTS: Final[Mapping[str, str]] = {
    "retry": "[5s, 1m, 15m]",
    "ignore_users": "[504141]",
    "list_ids": "[20547]",
    "tags": "[CRM]",
    "regions": "[RU, KZ, BY]",
    "stop_list": '["+79161234567"]',
    "allowed_fields": "[lead.id, lead.price, contact.phone]",
    "allowed_events": "[add_lead, status_lead]",
    "allow": '["10.0.0.0/8", localhost]',
}
_ENTRY = 2  # parts of the path of a source, a sink, a table, a route
_ENTRIES: Final[Mapping[str, str]] = {
    "sources": '{type: amocrm, token: "${ACME_HOOK_TOKEN}"}',
    "sinks": "{type: log}",
    "tables": '{102525: "+79161234567"}',
    "routes": "- {name: a new deal, on: add_lead, to: console}",
    "api_users": "- {login: …, hash: …, token: …, source: acme}",
}
_LISTED = (int, float, str)


def mapping_message(path: YamlPath) -> str:
    """Return what the mapping at a path looks like, for something else in its place."""
    entry = len(path) == _ENTRY
    example = _ENTRIES.get(str(path[0])) if entry else _MAPPINGS.get(str(path[-1])) if path else None
    return f"must be a mapping, such as {example}" if example else "must be a mapping (key: value)"


def list_message(key: str | int, value: object) -> str:
    """Return what a list under a key looks like, for something else in its place: what was written, in brackets."""
    example = _LISTS.get(str(key))
    if example is None and isinstance(value, _LISTED) and not isinstance(value, bool):
        example = f"[{json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value}]"
    return f"must be a list, such as {example}" if example else "must be a list"
