"""What people write from the habit of other programs, and what it is called here. Pure.

A suggestion by spelling would be wrong for these: `lead_status` is not near `status_lead`, nor `MSK` to Moscow.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from relay.amocrm.event_names import EVENTS
from relay.errors import YamlPath

_WON: Final = ("142", "won")
_LOST: Final = ("143", "lost")
_STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("won", "success", "успешно", "выиграно", "успешно реализовано", "closed won"), _WON),
    **dict.fromkeys(("lost", "проиграно", "закрыто", "закрыто и не реализовано", "closed lost"), _LOST),
}
_AUTH = 'auth: {bearer: "${TOKEN}"}'
_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "": {
        **dict.fromkeys(("account", "accounts", "input", "inputs"), "sources"),
        **dict.fromkeys(("destinations", "targets", "outputs", "output"), "sinks"),
        **dict.fromkeys(("rules", "rule", "handlers", "workflows"), "routes"),
        **dict.fromkeys(("imports", "import", "includes", "files"), "include"),
        **dict.fromkeys(("variables", "vars", "defaults", "common", "shared"), "x-…, and merge it by <<"),
    },
    "sources": {
        **dict.fromkeys(("subdomain", "domain", "host"), "account: {subdomain: acme}"),
        **dict.fromkeys(("account_id", "id"), "account: {id: 7039099}"),
        **dict.fromkeys(("secret", "hook_token", "key", "hash"), "token"),
        **dict.fromkeys(("api_token", "access_token", "long_lived_token"), 'api: {token: "${ACME_API_TOKEN}"}'),
        **dict.fromkeys(("tz", "time_zone", "zone"), "timezone"),
        **dict.fromkeys(("ignore", "ignored_users", "exclude_users"), "ignore_users"),
    },
    "sinks": {
        **dict.fromkeys(("endpoint", "address", "uri", "link", "host", "base_url"), "url"),
        **dict.fromkeys(("token", "bearer", "api_token", "authorization", "access_token"), _AUTH),
        **dict.fromkeys(("username", "user", "login", "password"), "auth: {basic: {username: …, password: …}}"),
        **dict.fromkeys(("retries", "max_attempts", "max_retries", "tries", "retry_count"), "attempts"),
        **dict.fromkeys(("delay", "delays", "backoff", "retry_delay"), "retry: [5s, 1m, 15m]"),
        **dict.fromkeys(("rate_limit", "limit", "rps", "throttle"), "rate: 10/s"),
        **dict.fromkeys(("parallel", "workers", "max_parallel", "threads"), "concurrency"),
        **dict.fromkeys(("api_key", "apikey", "key"), _AUTH),
        **dict.fromkeys(("idempotent", "idempotence", "dedupe", "deduplication"), "idempotency"),
        "idempotency_header": "idempotency_key",
        **dict.fromkeys(("to", "recipient", "emails"), "recipients"),
        **dict.fromkeys(("from", "mail_from"), "sender"),
        **dict.fromkeys(("chat", "channel", "group"), "chat_id"),
        **dict.fromkeys(("bot_token", "bot"), "token"),
        **dict.fromkeys(("topic", "thread_id"), "message_thread_id"),
        **dict.fromkeys(("circuit_breaker", "circuitbreaker", "circuit"), "breaker"),
    },
    "routes": {
        **dict.fromkeys(("if", "when", "filter", "filters", "condition", "conditions"), "where"),
        **dict.fromkeys(("event", "events", "trigger", "triggers"), "on"),
        **dict.fromkeys(("sink", "sinks", "destination", "target", "send_to", "then"), "to"),
        **dict.fromkeys(("payload", "data", "json", "content"), "body"),
        **dict.fromkeys(("url", "endpoint", "uri"), "path"),
        **dict.fromkeys(("account", "accounts", "from"), "source"),
        **dict.fromkeys(("unique", "dedupe", "dedup", "idempotency_key"), "once"),
        **dict.fromkeys(("message", "sms"), "text"),
        **dict.fromkeys(("number", "recipient"), "phone"),
        **dict.fromkeys(("title", "id"), "name"),
        "unless": "where: {not: {…}}",
    },
}  # fmt: skip
_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("webhook", "rest", "api", "https", "json", "url", "slack", "1c", "bitrix"), "http"),
    **dict.fromkeys(("stdout", "console", "file", "print", "debug"), "log"),
    **dict.fromkeys(("sms.ru", "sms_ru", "sms-ru"), "smsru"),
    **dict.fromkeys(("smsc.ru", "smsc_ru"), "smsc"),
    **dict.fromkeys(("mail", "e-mail", "smtp", "smtps"), "email"),
    **dict.fromkeys(("discord", "matrix", "teams", "ntfy", "pushover", "mattermost", "viber"), "apprise"),
    **dict.fromkeys(("mailing", "selzy"), "unisender"),
    **dict.fromkeys(("smsaero", "twilio", "vonage", "text"), "sms"),
    **dict.fromkeys(("мойсклад", "my_sklad", "mysklad", "moy_sklad"), "moysklad"),
    **dict.fromkeys(("kommo", "amo", "amo_crm", "amo-crm"), "amocrm"),
}
_ACTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("add", "added", "create", "created", "new"), "add"),
    **dict.fromkeys(("update", "updated", "change", "changed", "edit", "edited", "modified"), "update"),
    **dict.fromkeys(("delete", "deleted", "remove", "removed"), "delete"),
    **dict.fromkeys(("restore", "restored"), "restore"),
    **dict.fromkeys(("status", "stage", "pipeline", "moved"), "status"),
    **dict.fromkeys(("responsible", "manager", "assigned", "user"), "responsible"),
    "note": "note",
    "notes": "note",
}
_ENTITIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("lead", "leads", "deal", "deals"), "lead"),
    **dict.fromkeys(("contact", "contacts"), "contact"),
    **dict.fromkeys(("company", "companies"), "company"),
    **dict.fromkeys(("customer", "customers"), "customer"),
    **dict.fromkeys(("task", "tasks"), "task"),
    **dict.fromkeys(("message", "messages"), "message"),
    **dict.fromkeys(("talk", "talks"), "talk"),
    "unsorted": "unsorted",
}
_FACTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("dead", "dead_letter", "failed", "delivery_failed", "failure", "error"), "delivery_dead"),
    **dict.fromkeys(("held", "hold", "delivery_hold"), "delivery_held"),
    **dict.fromkeys(("sink_down", "circuit_open", "breaker_open", "breaker", "gate_closed"), "sink_closed"),
    **dict.fromkeys(("sink_up", "circuit_closed", "gate_opened", "recovered"), "sink_opened"),
    **dict.fromkeys(("silence", "silent", "source_down"), "source_silent"),
    **dict.fromkeys(("store_full", "memory", "disk_full"), "store_nearly_full"),
}
_WON_WORDS: Final = frozenset({"won", "lost", "closed", "success"})
_ALL: Final = frozenset({"*", "all", "any", "everything"})


def known_status(name: str) -> tuple[str, str] | None:
    """Return the id and the meaning of a status that every pipeline has; None for any other."""
    return _STATUSES.get(name.strip().casefold())


def known_key(path: YamlPath, known: Iterable[str]) -> str | None:
    """Return what to write instead of an unknown key at a path: one of the keys that are known there."""
    depth = {1: "", 3: str(path[0])}.get(len(path))
    answer = None if depth is None else _KEYS.get(depth, {}).get(str(path[-1]).lower())
    return answer if answer and (answer.partition(":")[0] in known or answer.startswith("x-")) else None


def known_type(name: str, known: Iterable[str]) -> str | None:
    """Return the type of a sink or source that is called otherwise elsewhere."""
    answer = _TYPES.get(name.strip().casefold(), "")
    return answer if answer in known else None


def known_event(name: str) -> str | None:
    """Return what to write instead of an unknown event, whose words stand in another order or are others."""
    if name.strip().lower() in _ALL:
        return "name each event, such as [add_lead, update_lead]"
    if fact := _FACTS.get(name.strip().lower()):
        return f"write {fact}"
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
    entity = next((_ENTITIES[word] for word in words if word in _ENTITIES), None)
    others = [word for word in words if _ENTITIES.get(word) != entity or word in _ACTIONS]
    if entity is None or not others:
        own = sorted(event for event in EVENTS if entity and event.endswith(f"_{entity}"))
        return f"write one of {', '.join(own)}" if own else None
    if entity == "lead" and _WON_WORDS & set(others):
        status = "143" if "lost" in others else "142"
        return f"write status_lead, and where: {{status_id: {status}}}"
    action = next((_ACTIONS[word] for word in others if word in _ACTIONS), "")
    if len(others) > 1 and "status" in map(_ACTIONS.get, others):
        action = "status"  # lead_status_changed
    event = f"{action}_{entity}"
    return f"write {event}" if event in EVENTS else None
