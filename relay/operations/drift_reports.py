"""Keep in the store how each account is set up, and in what it has drifted from the configuration in force."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from relay.accounts.setup import AccountSetup
from relay.config.account_uses import AccountUse
from relay.config.config import Config
from relay.model import Record
from relay.operations.drift import Drift, Misses, find_drifts
from relay.store.shared_state import SharedState

MOST_DRIFTS: Final = 50  # of an account, each a problem of its own
_TTL_MS: Final = 30 * 24 * 3_600_000


class DriftReport(Record):
    """What was found of one account. Times are epoch milliseconds.

    `asked_at`: when the account answered; None: it never has. `version`: of the configuration that it was compared
    with; empty: it is to be compared again. `failure`: why it could not be asked since `failing_since`, which says
    nothing of drift: what was found before stands.
    """

    asked_at: int | None = None
    version: str = ""
    missed: str = ""  # a digest of what tables lacked then
    drifts: Sequence[Drift] = ()
    more: int = 0  # that are not in `drifts`
    failure: str = ""
    failing_since: int | None = None


class DriftReports:
    """The reports of all accounts. Every method raises StoreUnavailable."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def read(self, sources: Iterable[str]) -> dict[str, DriftReport]:
        """Read the reports of sources; those that nobody has made yet are left out."""
        names = list(sources)
        found = await self._shared.get_all([_report_key(name) for name in names])
        return {name: _REPORT.decode(found[key]) for name in names if (key := _report_key(name)) in found}

    async def save_setup(self, source: str, setup: AccountSetup) -> None:
        """Keep how an account says that it is set up: its report is to be made anew."""
        now = self._shared.clock.ms()
        before = (await self.read([source])).get(source, DriftReport())
        report = msgspec.structs.replace(before, asked_at=now, version="", failure="", failing_since=None)
        values = {_setup_key(source): msgspec.json.encode(setup), _report_key(source): msgspec.json.encode(report)}
        await self._shared.put_all(values, _TTL_MS)

    async def note_failure(self, source: str, why: str) -> None:
        """Note that an account could not be asked. What was found before stands."""
        before = (await self.read([source])).get(source, DriftReport())
        since = before.failing_since if before.failing_since is not None else self._shared.clock.ms()
        await self._save(source, msgspec.structs.replace(before, failure=why, failing_since=since))

    async def compare(
        self, config: Config, source: str, uses: Iterable[AccountUse], misses: Misses
    ) -> DriftReport | None:
        """Compare what is kept of an account with a configuration, and keep the report; None: it was never asked."""
        kept = await self._shared.get(_setup_key(source))
        before = (await self.read([source])).get(source)
        if kept is None or before is None:
            return None
        drifts = find_source_drifts(_SETUP.decode(kept), config, source, uses, misses)
        report = msgspec.structs.replace(
            before,
            version=config.version,
            missed=digest_misses(misses),
            drifts=drifts[:MOST_DRIFTS],
            more=max(len(drifts) - MOST_DRIFTS, 0),
        )
        await self._save(source, report)
        return report

    async def _save(self, source: str, report: DriftReport) -> None:
        await self._shared.put(_report_key(source), msgspec.json.encode(report), _TTL_MS)


def find_source_drifts(
    setup: AccountSetup, config: Config, source: str, uses: Iterable[AccountUse], misses: Misses
) -> list[Drift]:
    """Return in what the account of a source differs from what a configuration and other places use of it. Pure."""
    own = [use for use in (*config.uses, *uses) if use.source == source]
    return find_drifts(setup, config.names.get(source), own, config.tables, misses)


def is_stale(report: DriftReport, config: Config, misses: Misses) -> bool:
    """Return whether a report is to be made anew.

    The account has answered since, the configuration is another one, or events had something else that tables lack.
    """
    return report.version != config.version or report.missed != digest_misses(misses)


def digest_misses(misses: Misses) -> str:
    """Return a digest of what tables lacked, in however many events."""
    lacking = sorted((table, key) for table, keys in misses.items() for key in keys)
    return blake2b(msgspec.json.encode(lacking), digest_size=8).hexdigest()


def _report_key(source: str) -> str:
    return f"account:{source}:drift"


def _setup_key(source: str) -> str:
    return f"account:{source}:setup"


_REPORT = msgspec.json.Decoder(DriftReport)
_SETUP = msgspec.json.Decoder(AccountSetup)
