"""Names are words that a stranger of this field expects: private ones that the code once had do not come back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("relay", "workers", "tests")

# The old name, and what to say now. A whole name is compared, without leading underscores: `told_at` is no `told`.
OLD_NAMES = {
    "Amo": "HookSender",
    "Arrival": "LoggedRequest",
    "Arrivals": "RequestLog",
    "Arrived": "VendorRequest",
    "Came": "AttemptResult",
    "Claimed": "ClaimReply",
    "Desk": "SubscriptionService",
    "Door": "Authenticator",
    "Errand": "SingleFlight",
    "Heard": "SourceHealth",
    "KeptDelivery": "StoredDelivery",
    "KeptReceipt": "StoredReceipt",
    "Made": "RenderedContent",
    "Marks": "SendingMarks",
    "Needing": "DependencyResolver",
    "Patience": "DeadlineQueue",
    "Spell": "Outage",
    "Teller": "the name of what it sends",
    "Told": "Attempt",
    "Vault": "Encrypter",
    "Verdict": "check",
    "Wanted": "ClaimRequest, SubscriptionRequest, EventFilter",
    "Watchman": "SourceMonitor",
    "arrived": "requests, received",
    "asking": "lookups",
    "buried": "poisoned",
    "calling": "calls",
    "came": "result, received",
    "deciding": "acts",
    "desk": "service",
    "door": "authenticator, access",
    "errand": "single_flight",
    "hear": "receive",
    "heard": "health",
    "insist": "retry_store_write",
    "insisting": "store_writes",
    "kept": "stored",
    "knock": "check_login_rate",
    "last_words": "output_tail",
    "marking": "sending_marks",
    "misbehave": "respond_with_fault",
    "misbehaving": "fault_responses",
    "moments": "timefmt",
    "needing": "dependencies",
    "obituary": "exit_message",
    "opening": "context",
    "patience": "deadlines",
    "said": "answer, output",
    "shown": "format_…, printed",
    "spell": "outage",
    "tell": "send, log, write",
    "telling": "hooks",
    "tells": "format_…",
    "told": "format_…, reported",
    "turn": "settle_and_claim, loop tick",
    "vault": "encryption",
    "verdict": "check",
    "watchman": "monitor",
    "whom": "the name of the receiver",
}


def names_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the names that are defined, imported, called, or used as attributes or keywords, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.ImportFrom(module=module, names=names):
                yield from ((node.lineno, part) for part in (module or "").split("."))
                yield from ((node.lineno, name) for alias in names for name in (alias.name, alias.asname or ""))
            case ast.Import(names=names):
                yield from ((node.lineno, part) for alias in names for part in alias.name.split("."))
            case ast.Call(func=ast.Name(id=name)):
                yield node.lineno, name
            case ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.keyword(arg=str(name)):
                yield node.value.lineno, name


def old_names(path: str, source: str) -> list[str]:
    """Return each use of an old name in a module, with its place and what to say instead."""
    used = [(0, Path(path).stem.removeprefix("test_")), *names_of(ast.parse(source))]
    return [
        f"{path}:{line}: {name}, say {OLD_NAMES[name.lstrip('_')]}"
        for line, name in used
        if name.lstrip("_") in OLD_NAMES
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("class Came: pass", [1]),
        ("def _told(): pass", [1]),
        ("async def tell(): pass", [1]),
        ("\nfrom relay.store.kept import KeptReceipt", [2, 2]),
        ("from relay.store import stored as kept", [1]),
        ("import workers.watchman", [1]),
        ("knock(key)", [1]),
        ("process.last_words()", [1]),
        ("Row(turn=1)", [1]),
        ("told = told_at = 1", []),  # a local variable reads in its context
        ("format_time(at, told_at=1)", []),
    ],
)
def test_a_definition_an_import_a_call_and_an_attribute_are_found(source: str, lines: list[int]) -> None:
    assert [int(found.split(":")[1]) for found in old_names("relay/x.py", source)] == lines


def test_a_file_is_found_by_its_name() -> None:
    assert old_names("tests/unit/cli/test_moments.py", "") == ["tests/unit/cli/test_moments.py:0: moments, say timefmt"]


def test_no_name_is_an_old_one() -> None:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 300
    found = [use for path in files for use in old_names(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))]
    assert found == []


def test_no_two_classes_have_one_name() -> None:
    """Private ones are their module's own; a public name means one thing in the whole tree."""
    places: dict[str, list[str]] = {}
    for path in (path for folder in ("relay", "workers") for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
