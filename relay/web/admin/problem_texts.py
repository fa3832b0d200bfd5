"""What problems are called, mean and are helped by, to be said in the language of the page."""

from collections.abc import Mapping
from typing import Final

from relay.operations.diagnosis import ActName
from relay.operations.problems import Problem
from relay.translation.messages import UiText, counted, message

WAITS: Final = message("What is for it waits; nothing is lost.")
_KEPT: Final = message("Nothing of it is lost. Mend the cause, then send it again.")
_EXPIRES: Final = message("The oldest go with their hooks: resend them, give them up, or let retention keep more.")
_FLOOD: Final = message("Beyond it its hooks are answered 503; other sources go on. Does it send in a loop?")
_CONFIG: Final = message("Change the line in the file: it is read again by itself.")
_STORE: Final = message("System says more; relay doctor says what to do.")

TITLES: Final[Mapping[str, UiText]] = {
    "sink-closed": message("{subject} refuses everything"),
    "sink-tripped": message("{subject} is down: too many attempts failed"),
    "sink-failing": message("Nothing reaches {subject}"),
    "sink-failing-in-part": message("Much fails at {subject}"),
    "sink-paused": message("{subject} is paused"),
    "sink-behind": message("{subject} falls behind"),
    "sink-filling": message("{subject} may soon have no more waiting"),
    "sink-full": message("{subject} is full: what comes is put off"),
    "sink-orphaned": message("{subject} is in no configuration any more"),
    "subscription-disabled": message("The subscription of {subject} is disabled"),
    "held": message("{subject}: held, may have been sent"),
    "dead": message("{subject}: given up"),
    "dead-expiring": message("Dead letters are about to be removed"),
    "dead-crowded": message("Dead letters take most of their share of the store"),
    "lookups-closed": message("The account of {subject} refuses look-ups"),
    "lookups-failing": message("No look-up in the account of {subject} succeeds"),
    "lookups-behind": message("Look-ups in the account of {subject} fall behind"),
    "source-silent": message("{subject} is silent"),
    "source-filling": message("{subject} takes most of its share of the store"),
    "source-over-share": message("{subject} takes its whole share of the store"),
    "source-unchecked": message("Nobody has checked {subject} yet"),
    "hook-disabled": message("amoCRM has switched off the hook of {subject}"),
    "hook-missing": message("The account of {subject} has no hook to this relay"),
    "hook-unknown": message("The state of the hook of {subject} is not known"),
    "erasure-failed": message("An erasure failed"),
    "erasure-open": message("An erasure is not done"),
    "receipts-quarantined": message("Hooks that could not be routed"),
    "receipts-malformed": message("Hooks that are not what amoCRM sends"),
    "store-away": message("The store does not answer"),
    "store-refuses-writes": message("The store takes no writes"),
    "store-full": message("The store is full"),
    "store-nearly-full": message("The store is nearly full"),
    "store-unbounded": message("The store has no limit of memory"),
    "store-weak": message("The store may lose what was acknowledged"),
    "store-evicts": message("The store deletes keys when it is full"),
    "store-emptied": message("Everything in the store was deleted"),
    "clock-differs": message("The clocks do not agree"),
    "shard-away": message("The shard {subject} does not answer"),
    "shard-full": message("The shard {subject} is full"),
    "shard-weak": message("The shard {subject} may lose what was acknowledged"),
    "workers-gone": message("No worker runs"),
    "workers-behind": message("Workers do not keep up"),
    "worker-stalled": message("A worker stood still: {subject}"),
    "broker-away": message("Celery's broker is away"),
    "config-unfit": message("The configuration is not fit for production"),
    "config-refused": message("The file has a mistake, and the old configuration stays"),
    "unread": message("Could not be examined: {subject}"),
    "account-unasked": message("The account of {subject} could not be compared with the configuration"),
}
MEANINGS: Final[Mapping[str, UiText]] = {
    "sink-closed": WAITS,
    "sink-tripped": message("What is for it waits and costs no attempts; one is tried now and then."),
    "sink-failing": message("It is tried again, and given up when the attempts are used up."),
    "sink-failing-in-part": message("Some events are wrong for it, or it is unwell."),
    "sink-paused": WAITS,
    "sink-behind": message("More arrives than leaves: raise its rate, or start more workers."),
    "sink-filling": message(
        "What comes when it is full is put off: its hook is kept. Mend it, or raise its max_pending."
    ),
    "sink-full": message("Of what is put off the hooks are kept, and sent when it has room. Other sinks go on."),
    "sink-orphaned": message("Put it back into the file, or move what is for it."),
    "subscription-disabled": WAITS,
    "held": message("Look there: confirm what arrived, resend what did not."),
    "dead": _KEPT,
    "dead-expiring": _EXPIRES,
    "dead-crowded": _EXPIRES,
    "lookups-closed": WAITS,
    "lookups-failing": WAITS,
    "lookups-behind": WAITS,
    "source-silent": message("By its rhythm a hook should have come. Is the address right, and the hook enabled?"),
    "source-filling": _FLOOD,
    "source-over-share": _FLOOD,
    "hook-disabled": message("Nothing arrives until it is enabled; what was missed is then caught up."),
    "hook-missing": message("Connect it once, or wait: the account is asked once a minute."),
    "erasure-failed": message("What is stored of that person may be there still: start it again, or say why not."),
    "erasure-open": message("That person is not forgotten everywhere yet."),
    "receipts-quarantined": message("They are kept. The log has the traceback: report it."),
    "receipts-malformed": message("They are kept, and nothing came of them. Does something else know the address?"),
    "store-full": message("New hooks are answered 503 until there is room again."),
    "store-nearly-full": message("At 85 % new hooks are answered 503. Give it more memory, or keep less."),
    "shard-away": message("Hooks of its sources are answered 503; sums and lists are without it. Others go on."),
    "shard-full": message("New hooks of its sources are answered 503 until there is room again."),
    "shard-weak": message("A crash of its machine may lose what was acknowledged to amoCRM."),
    "store-unbounded": message("It grows until its machine has no memory left: set maxmemory."),
    "workers-gone": message("Hooks are stored, and nothing is routed or delivered: start relay worker."),
    "workers-behind": message("Hooks are stored and not routed in time: start more workers."),
    "broker-away": message("Workers go on without bells: work begins up to two seconds later."),
    "config-unfit": _CONFIG,
    "config-refused": _CONFIG,
}
ACTS: Final[Mapping[ActName, UiText]] = {
    "resume-sink": message("Resume"),
    "probe-sink": message("Probe it"),
    "enable-subscription": message("Enable it"),
    "list-deliveries": message("Look at them"),
    "move-deliveries": message("Move them…"),
    "list-events": message("Look at them"),
    "show-sink": message("Look at it"),
    "show-source": message("Look at it"),
    "show-action": message("Look at it"),
    "show-routes": message("Look at the file"),
    "show-system": message("Look at the system"),
}


_WAITING: Final = (
    "sink-closed", "sink-tripped", "sink-failing", "sink-paused", "sink-behind", "subscription-disabled",
    "lookups-closed", "lookups-failing", "lookups-behind", "workers-gone", "workers-behind",
)  # fmt: skip


def count_of(problem: Problem) -> UiText | str:
    """Return how many there are, or wait because of it; empty where there is nothing to count."""
    if not problem.count:
        return ""
    return counted("{n} waits", "{n} wait", problem.count) if problem.kind in _WAITING else f"{problem.count:,}"


def title_of(problem: Problem) -> UiText | str:
    """Return what a problem is called; one without a text of its own is told as the doctor does."""
    found = TITLES.get(problem.kind)
    if found is None:
        return f"{problem.about}: {problem.found}"
    return UiText(text=found.text, values={"subject": problem.subject})


def meaning_of(problem: Problem) -> UiText | str:
    """Return what a problem means."""
    return MEANINGS.get(problem.kind) or (_STORE if problem.kind.startswith("store") else problem.means)


def detail_of(problem: Problem) -> str:
    """Return what others said of it, or what was found; empty where the title says it all."""
    detail = problem.cause or (problem.found if problem.kind in _WITH_FINDINGS else "")
    return detail if detail != problem.means else ""


_WITH_FINDINGS: Final = (
    "source-silent", "hook-disabled", "hook-missing", "sink-behind", "sink-failing", "sink-failing-in-part",
    "sink-filling", "sink-full", "source-filling", "source-over-share", "dead-expiring", "dead-crowded",
    "lookups-behind", "lookups-failing", "worker-stalled", "store-emptied", "clock-differs", "workers-behind",
)  # fmt: skip
