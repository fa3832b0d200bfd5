"""Ask an account how it is set up, and say in what that differs from what routes, tables and cases need."""

from collections.abc import Iterable, Sequence

from relay.accounts.client import AccountClient
from relay.accounts.names import fetch_setup
from relay.config.account_uses import AccountUse
from relay.config.config import Config
from relay.model import Record
from relay.operations.diagnosis import Grade
from relay.operations.drift import Drift, UsedAt
from relay.operations.drift_diagnosis import diagnose_one
from relay.operations.drift_reports import DriftReports, find_source_drifts
from relay.operations.field_findings import read_findings
from relay.operations.names_update import count_differences
from relay.store.shared_state import SharedState


class FoundDrift(Record):
    """A thing that is not as the configuration needs it. `problem`: the id under which it is a problem."""

    problem: str
    thing: str
    change: str
    id: str
    name: str
    now: str
    grade: Grade
    found: str
    means: str
    advice: str
    events: int
    used: Sequence[UsedAt]


class NamesCheck(Record):
    """What an account was found to differ in. `differing`: how many names the file has otherwise, needed or not."""

    source: str
    drifts: Sequence[FoundDrift]
    differing: int


async def check_names(
    client: AccountClient, shared: SharedState, config: Config, uses: Iterable[AccountUse]
) -> NamesCheck:
    """Ask an account, and compare it with the configuration and with `uses` beside it.

    The store keeps what the account said, so that the workers compare it with what they have in force. Raises as the
    client does: an account that cannot be asked has not drifted.
    """
    setup, source = await fetch_setup(client), client.source
    reports = DriftReports(shared)
    await reports.save_setup(source, setup)
    misses = (await read_findings(shared)).misses.get(source, {})
    drifts = find_source_drifts(setup, config, source, uses, misses)
    names = config.names.get(source)
    return NamesCheck(
        source=source,
        drifts=[found_drift(drift, source) for drift in drifts],
        differing=0 if names is None else count_differences(names, setup.names()),
    )


def found_drift(drift: Drift, source: str) -> FoundDrift:
    """Return a drift with what it means."""
    said = diagnose_one(drift, source)
    return FoundDrift(
        problem=said.id, thing=drift.thing, change=drift.change, id=drift.id, name=drift.name, now=drift.now,
        grade=said.grade, found=said.found, means=said.means, advice=said.advice, events=drift.events, used=drift.used,
    )  # fmt: skip
