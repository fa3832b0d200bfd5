"""What operations say is known in Russian: every line in their code, and those that are joined of parts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from relay.accounts.source_health import SourceHealth
from relay.operations.account_diagnosis import diagnose_accounts
from relay.operations.diagnosis import Diagnosis
from relay.operations.drift import Drift, UsedAt
from relay.operations.drift_diagnosis import diagnose_drift, diagnose_empty_fields
from relay.operations.drift_reports import DriftReport
from relay.operations.examination import Examination
from relay.operations.field_findings import EmptyField
from relay.operations.sink_diagnosis import diagnose_sinks
from relay.operations.source_diagnosis import diagnose_shares, diagnose_sources
from relay.operations.store_diagnosis import diagnose_store
from relay.store.gate import Gate
from relay.store.health import Durability, MemoryUse, StoreLife
from relay.store.outcomes import Outcomes
from relay.store.queues import AccountState, SinkState
from relay.store.records import Stall
from relay.translation.messages import Translator

ROOT: Final = Path(__file__).parents[4]
OPERATIONS: Final = ROOT / "relay" / "operations"
RUSSIAN: Final = Translator("ru")
HOUR: Final = 3_600_000
TIME: Final = "2026-11-29 17:34:51.032+00:00"
# What is for programs or commands alone, or what processes say when they start.
NOT_ON_PAGES: Final = frozenset([
    *("action_preview", "alert_trial", "audit", "capacity", "curl", "differences", "examination", "event_outcomes"),
    "explanation",
    *("headroom", "post_hook", "shards", "store_admission", "store_owner", "strip", "story_detail"),
])  # fmt: skip
WORDS: Final = re.compile(r"^\w.*[a-z]{2,}[^|]* [a-z]{2,}")
# Words of results and keys, and what begins as a command or is said by commands alone.
NO_LINES: Final = re.compile(
    r"relay |--\w+|not asked$"
    r"|(?:no entity|no delivery|asked already|other type|another kind|put off|not made today|older names)$"
    r"|name of the key|phone 7|email 7|\d things? needs? you|delivery 7|7: 7 more are put off"
)
# Parts, of which the lines below are joined.
PARTS: Final = re.compile(
    r"waits for `7`, 7|it is being 7|the subscription is disabled:|it is paused$|the account is asked at$|next attempt$"
    r"|as soon as|looked up$|due since|7; what was missed|when it was asked at|7, the account had|7 of maxmemory"
    r"|the store's is 7|new, with nothing|ahead of$|last in worker|7, no limit|7 times in|more of $|start $"
    r"|7: 7 of 7 attempts|7: 7 attempts|7 (?:is gone|is not active any more|was renamed: .*)$|field 7 of 7$"
    r"|not compared with the configuration, last asked 7$"
)
JOINED: Final = (
    "the account of acme: status 20030002 Отгрузка is gone",
    "the hooks of acme: field Город was empty in 40% of 1234 events of route won, usually in 2%",
    f"waits for `relay sinks resume books`, it is paused by anna: they move; until {TIME}",
    "waits for `relay subscriptions enable 7`, the subscription is disabled: too many failures",
    f"it is being sent; if its worker dies, another takes it up at {TIME}",
    f"it is being looked up; if its worker dies, another takes it up at {TIME}",
    f"due since {TIME}: it leaves as soon as its sink has room",
    f"due since {TIME}: it leaves as soon as the account is asked",
    f"next attempt {TIME}",
    f"the account is asked at {TIME}",
    f"the gate is closed: 401; a trial at {TIME} decides",
    "due now, but its sink is paused",
    "it is running: only a paused action can be resumed",
    "it is done: only a running action can be paused; start a new one: what this one did is left alone",
)


def lines(path: Path) -> Iterator[str]:
    """Yield the lines in a module, with values as they look. A value that is glued to a word is no line's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    others = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    others |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            line = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
            if not re.search(r"[\w)]\0|\0\0|\0\w", line):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else _value(part) for part in node.values
                )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in others:
            yield node.value


def _value(part: ast.expr) -> str:
    return TIME if "format_time(" in ast.unparse(part) else "7"


@pytest.mark.parametrize("path", sorted(OPERATIONS.glob("*.py")), ids=lambda path: path.stem)
def test_every_line_is_known(path: Path) -> None:
    said = [] if path.stem in NOT_ON_PAGES else lines(path)
    said = [line for line in said if WORDS.search(line) and not NO_LINES.match(line) and not PARTS.match(line)]
    assert [line for line in said if RUSSIAN.known(line) is None] == []


@pytest.mark.parametrize("line", JOINED)
def test_what_is_joined_of_parts_is_known(line: str) -> None:
    assert RUSSIAN.known(line) is not None
    assert re.search("[а-я]", RUSSIAN.known(line) or "")


# Where reasons of deliveries and gates are said. What such a module says of the file is for `relay check` alone.
REASONS: Final = (
    *sorted((ROOT / "relay" / "sinks").rglob("*.py")), *sorted((ROOT / "relay" / "transport").rglob("*.py")),
    *(ROOT / "relay" / "rendering" / name for name in ("values.py", "filters.py", "sandbox.py")),
    *(ROOT / "relay" / "planning" / name for name in ("content.py", "deliveries.py", "lookups.py")),
    *(ROOT / "workers" / name for name in ("attempts.py", "batch_planning.py", "fetcher.py", "put_off.py")),
    ROOT / "relay" / "accounts" / "answers.py", ROOT / "relay" / "accounts" / "tokens.py",
)  # fmt: skip
OF_THE_FILE: Final = frozenset([
    *("settings", "auth", "idempotency", "repetition", "registry", "urls", "signing", "json_paths", "windows"),
    *("addresses", "answer_checks", "people", "profile", "tls_settings"),
])  # fmt: skip
# What probes say, what is looked for in answers, and parts of which a longer line is made.
NO_REASONS: Final = re.compile(
    r"the tables$|an empty value$|it is no JSON|it is null$|in plain text$|the login$|us without a login$|fixed line$"
    r"|the mail server takes|the token is of the bot|messages go to the chat|each route says|the key is valid"
    r"|Apprise takes the address|level: 7|chat not found|chat_id is empty|group chat was|have no rights"
    r"|not enough rights|message thread not found|blocked by the user|has no confirmation letters|already exist but"
    r"|not found$|Mapping\[|application/|text/plain|10\.0|fetched first|it would end the header|all (?:would be|inv)"
    r"|.* is the same for every event|give (?:form|login)|success_if is missing|oauth2 is for|has 7 characters"
    r"|it was longer|a subscriber gets|7: a subscriber|.*no route can send|excluding or unsubscribing"
    r"|(?:JSON is malformed|it is no 7)|the proxy 7$|more than a reply|parts of what 7|it knows no 7"
    r"|Apprise does not take this address of|check url$|an address that is too long|redirects are not followed"
    r"|7: 7: set the sink's url|7 is no phone number$"
    r"|not (?:the gateway's|Telegram's|UniSender's) answer|7, nor in the account|the text holds half"
)


@pytest.mark.parametrize("path", REASONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_reason_is_known(path: Path) -> None:
    """Of some there is a status, a place of the route or an address before them, or a further reason behind them."""
    said = [] if path.stem in OF_THE_FILE else lines(path)
    said = [line for line in said if WORDS.search(line) and not NO_REASONS.match(line)]
    wholes = {line: (line, f"x: {line}", f"x is {line}", f"{line}: x", f"{line}x") for line in said}
    assert [line for line, whole in wholes.items() if not any(map(RUSSIAN.known, whole))] == []


@pytest.mark.parametrize(("line", "russian"), [
    ("2 × fields.email: it is no e-mail address", "2 × fields.email: это не адрес почты"),
    ('phone: table managers has no entry for "7"', 'phone: в таблице managers нет записи для "7"'),
    ("it is Mon 30 Nov 05:58 in Europe/Moscow, outside of the window: it leaves at Mon 30 Nov 10:00",
     "сейчас Mon 30 Nov 05:58 (Europe/Moscow), это вне window: уйдёт Mon 30 Nov 10:00"),
])  # fmt: skip
def test_what_says_more_is_found_before_what_says_less(line: str, russian: str) -> None:
    assert RUSSIAN.known(line) == russian


def test_what_a_person_wrote_is_never_translated() -> None:
    assert RUSSIAN.known("test"), "a word of the pages"
    assert RUSSIAN.words("test") == "test"
    assert RUSSIAN.words("test (action 5f3a)") == "test (операция 5f3a)"
    assert RUSSIAN.known("resent by anna: test (action 5f3a)") == "ещё раз отправил(а) anna: test (операция 5f3a)"
    assert RUSSIAN.known(f"paused since {TIME} by source: test") == f"на паузе с {TIME}, поставил source: test"


FAILING: Final = Outcomes(attempts=100, failed=100, row=100, row_since=HOUR)
PAUSED: Final = {"paused": True, "paused_by": "anna", "paused_why": "they move", "paused_since": HOUR}
SINKS: Final = (
    {},
    {"outcomes": FAILING, "oldest_pending_ms": HOUR, "oldest_due_ms": HOUR},
    {"gate": Gate(**PAUSED)},
    {"gate": Gate(**PAUSED, paused_until=9 * HOUR), "oldest_pending_ms": HOUR},
    {"gate": Gate(until=99 * HOUR, since=HOUR, reason="401: wrong key"), "oldest_pending_ms": HOUR},
    {"put_off": 2, "max_pending": 3, "held": 1, "dead": 2},
    {"name": "gone", "held": 1},
    {"name": "sub-7", "type": "subscriber", "dead": 2},
)
ACCOUNTS: Final = ({}, {"outcomes": FAILING, "oldest_due_ms": HOUR}, {"gate": Gate(until=99 * HOUR, reason="401")})
HEALTHS: Final = ({}, {"hook": "disabled"}, {"hook": "missing"}, {"hook": "enabled"})
STORES: Final = (
    {}, {"life": StoreLife(since=HOUR, emptied_at=2 * HOUR)}, {"life": StoreLife(since=3 * HOUR - 1000)},
    {"workers": 0, "inbox": 3}, {"workers": 0}, {"clock_skew_ms": 5000}, {"clock_skew_ms": -5000},
    {"oldest_unrouted_ms": 2 * HOUR}, {"memory": MemoryUse(used=10, limit=0)},
    {"memory": MemoryUse(used=900, limit=1000)}, {"stalls": [Stall(at=HOUR, part="loop", worker="w1")] * 2},
    {"durability": Durability(grade="memory", replicas=0, policy="allkeys-lru")},
)  # fmt: skip
GOOD: Final = {
    "durability": Durability(grade="fsync", replicas=0, policy="noeviction"),
    "memory": MemoryUse(used=10, limit=1000), "workers": 2, "inbox": 0, "now": 3 * HOUR, "failures": {},
}  # fmt: skip


def drifts() -> Iterator[Drift]:
    """Yield a drift of each kind, for each who may need it."""
    roles = ("only", "one of", "exception", "content", "case")
    used = [UsedAt(by="route r", place="relay.yaml:3:5", role=role) for role in roles]
    for thing in ("pipeline", "status", "user", "field", "value", "entry"):
        for change in ("gone", "renamed", "type", *(("inactive",) if thing == "user" else ())):
            names = {"key": f"{thing}/7", "id": "7", "name": "Опт", "now": "Розница", "owner": "lead"}
            for one in used:
                for breaks, events in ((True, 3), (False, 0)):
                    yield Drift(thing=thing, change=change, breaks=breaks, events=events, used=[one], **names)


def found() -> Iterator[Diagnosis]:
    """Yield what the doctor finds of all that can be wrong."""
    for sink in SINKS:
        yield from diagnose_sinks(
            [SinkState(**{"name": "books", "type": "http", "waiting": 3, **sink})], ["books"], 3 * HOUR
        )
    for account in ACCOUNTS:
        yield from diagnose_accounts([AccountState(source="acme", waiting=2, **account)], 3 * HOUR)
    for health in HEALTHS:
        source = SourceHealth(received=3, checked_at=3 * HOUR, last_hook_at=HOUR, **health)
        yield from diagnose_sources({"acme": source})
    yield from diagnose_sources({"acme": None})
    yield from diagnose_shares({"acme": 0.9, "branch": 1.2})
    yield from diagnose_drift({"acme": DriftReport(asked_at=HOUR, version="1", drifts=[*drifts()])}, 3 * HOUR)
    empty = {"custom": False, "since": HOUR, "share": 0.4, "events": 1234, "usual": 0.02}
    yield from diagnose_empty_fields([EmptyField(source="acme", route="won", field="price", **empty)])
    for asked in (None, HOUR):
        yield from diagnose_drift({"acme": DriftReport(asked_at=asked, failure="401", failing_since=1)}, 99 * HOUR)
    yield from diagnose_drift({"acme": DriftReport(asked_at=HOUR, version="1")}, 3 * HOUR)
    for changes in STORES:
        yield from diagnose_store(Examination(**{**GOOD, **changes}))


def test_what_the_doctor_finds_is_known() -> None:
    said = {line for one in found() for line in (one.about, one.found, one.means, one.advice) if line}
    assert {
        line for line in said if RUSSIAN.known(line) is None and " " in line and not line.startswith("relay ")
    } == set()


def test_each_part_of_a_line_is_translated_and_what_others_said_is_not() -> None:
    line = f"paused since {TIME} by anna: they move; 3 wait, the oldest for 2m 3s"
    assert RUSSIAN.known(line) == f"на паузе с {TIME}, поставил anna: they move; ждут: 3, самая старая 2 мин 3 с"
    assert RUSSIAN.known("relay worker; 3 waiting") == "relay worker; ждут: 3", "a command stays as it is"
    assert RUSSIAN.known("wrong key; 3 waiting") is None
    assert RUSSIAN.known("contents") == "содержимое"
