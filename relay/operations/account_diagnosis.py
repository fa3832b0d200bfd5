"""Diagnose the accounts in which deliveries are looked up. Pure."""

from collections.abc import Iterable, Iterator

from relay.operations.diagnosis import Diagnosis, HelpfulAct
from relay.operations.sink_diagnosis import FAILING_MS, LATE_MS, format_failures
from relay.store.queues import AccountState
from relay.timefmt import format_duration, format_time


def diagnose_accounts(accounts: Iterable[AccountState], now: int) -> Iterator[Diagnosis]:
    """Diagnose the accounts of which something waits to be looked up. `now`: epoch milliseconds."""
    for account in accounts:
        yield _diagnose_account(account, now)


def _diagnose_account(account: AccountState, now: int) -> Diagnosis:
    about, waiting = f"look-ups of {account.source}", account.waiting + account.in_flight
    means = f"{waiting} deliveries need the account before they can be sent; they wait, nothing is lost"
    since = account.failing_since
    if account.gate.closed_until(now):
        found = f"closed at least until {format_time(account.gate.until)}: {account.gate.reason}"
        advice = "remove the cause that it names"
        return _bad("lookups-closed", account, found, means, advice, account.gate.since, account.gate.reason)
    if since is not None and now - since >= FAILING_MS:
        found = f"none succeeds{format_failures(account.outcomes, now)}"
        advice = "relay deliveries list --state pending shows the reasons"
        return _bad("lookups-failing", account, found, means, advice, since)
    if account.oldest_due_ms is not None and account.oldest_due_ms > LATE_MS:
        found = f"the oldest has been due for {format_duration(account.oldest_due_ms)}"
        advice = "start relay worker, or more of it; the account's rate limits how fast it is asked"
        return _bad("lookups-behind", account, found, means, advice)
    return Diagnosis(about=about, grade="good", found=f"{waiting} waiting")


def _bad(
    kind: str, account: AccountState, found: str, means: str, advice: str, since: int | None = None, cause: str = ""
) -> Diagnosis:
    filters = {"source": account.source, "state": "pending"}
    command = f"relay deliveries list --source {account.source} --state pending"
    return Diagnosis(
        about=f"look-ups of {account.source}", grade="bad", found=found, means=means, advice=advice, kind=kind,
        subject=account.source, since=since, count=account.waiting + account.in_flight, cause=cause,
        act=HelpfulAct(name="list-deliveries", target=account.source, command=command, filters=filters),
    )  # fmt: skip
