"""What must change of the account's hooks so that ours is right."""

import pytest

from relay.accounts.hooks import AccountHook, HookDiff, diff_hooks

OURS = "https://relay.example/hooks/acme/token"


def hook(url: str = OURS, *events: str, disabled: bool = False) -> AccountHook:
    return AccountHook(url=url, events=frozenset(events), disabled=disabled)


def diff(**more: object) -> HookDiff:
    fields = {"new": False, "added": [], "removed": [], "disabled": False, "unknown": [], "strays": []}
    return HookDiff(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hooks", "wanted", "expected"),
    [
        ([], {"add_lead"}, diff(new=True, added=["add_lead"])),
        ([hook(OURS, "add_lead")], {"add_lead"}, diff()),
        ([hook(OURS, "add_lead")], {"add_lead", "add_task"}, diff(added=["add_task"])),
        ([hook(OURS, "add_lead", "note_lead")], {"add_lead"}, diff(removed=["note_lead"])),
        ([hook(OURS, "add_lead", disabled=True)], {"add_lead"}, diff(disabled=True)),
        (
            [hook("https://other.example/x", "add_lead", disabled=True)],
            {"add_lead"},
            diff(new=True, added=["add_lead"]),
        ),
        ([], {"add_lead", "call_in_lead"}, diff(new=True, added=["add_lead"], unknown=["call_in_lead"])),
        (
            [hook(OURS, "add_lead"), hook("http://old.example/hooks/acme/old", "add_lead")],
            {"add_lead"},
            diff(strays=["http://old.example/hooks/acme/old"]),
        ),
    ],
)
def test_the_difference_to_what_is_needed(hooks: list[AccountHook], wanted: set[str], expected: HookDiff) -> None:
    assert diff_hooks(hooks, OURS, wanted) == expected


@pytest.mark.parametrize(
    ("found", "needs_update"),
    [(diff(), False), (diff(disabled=True), False), (diff(new=True), True), (diff(removed=["x"]), True)],
)
def test_whether_the_hook_needs_an_update(found: HookDiff, needs_update: bool) -> None:
    assert found.needs_update is needs_update
