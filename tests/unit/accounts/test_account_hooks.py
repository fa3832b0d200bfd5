"""What must change of the account's hooks so that ours is right."""

import pytest

from relay.accounts.hooks import AccountHook, HookDiff, diff_hooks

OURS = "https://relay.example/hooks/acme/token"


def hook(url: str = OURS, *events: str, disabled: bool = False) -> AccountHook:
    return AccountHook(url=url, events=frozenset(events), disabled=disabled)


def changed(**more: object) -> HookDiff:
    fields = {"new": False, "added": [], "removed": [], "disabled": False, "unknown": [], "strays": []}
    return HookDiff(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hooks", "wanted", "expected"),
    [
        ([], {"add_lead"}, changed(new=True, added=["add_lead"])),
        ([hook(OURS, "add_lead")], {"add_lead"}, changed()),
        ([hook(OURS, "add_lead")], {"add_lead", "add_task"}, changed(added=["add_task"])),
        ([hook(OURS, "add_lead", "note_lead")], {"add_lead"}, changed(removed=["note_lead"])),
        ([hook(OURS, "add_lead", disabled=True)], {"add_lead"}, changed(disabled=True)),
        (
            [hook("https://other.example/x", "add_lead", disabled=True)],
            {"add_lead"},
            changed(new=True, added=["add_lead"]),
        ),
        ([], {"add_lead", "call_in_lead"}, changed(new=True, added=["add_lead"], unknown=["call_in_lead"])),
        (
            [hook(OURS, "add_lead"), hook("http://old.example/hooks/acme/old", "add_lead")],
            {"add_lead"},
            changed(strays=["http://old.example/hooks/acme/old"]),
        ),
    ],
)
def test_the_change(hooks: list[AccountHook], wanted: set[str], expected: HookDiff) -> None:
    assert diff_hooks(hooks, OURS, wanted) == expected


@pytest.mark.parametrize(
    ("found", "needed"),
    [(changed(), False), (changed(disabled=True), False), (changed(new=True), True), (changed(removed=["x"]), True)],
)
def test_whether_it_is_needed(found: HookDiff, needed: bool) -> None:
    assert found.needed is needed
