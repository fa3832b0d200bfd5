"""Format bulk actions as rows of a list. Pure: what formats previews imports the configuration, which no list needs."""

from relay.operations.action_results import DONE, RECOVERED
from relay.operations.actions import Action, ActionKind
from relay.timefmt import format_time


def row(action: Action) -> tuple[object, ...]:
    """Return an action as a row of a list."""
    done = sum(
        n for result, n in action.results.items() if result in (DONE, "new", "again", "asked", "erased", RECOVERED)
    )
    looked = action.looked if action.kind is ActionKind.CATCH_UP else f"{action.looked}/{action.total}"
    state = f"{action.state}, waits" if action.waits else action.state
    return (
        format_time(action.started_at), action.id, action.kind, state, looked, done,
        action.touched - done, action.by, action.why,
    )  # fmt: skip
