"""Watch accounts for drift: ask each once a day how it is set up, and compare that with what is in force."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from relay.accounts.client import AccountClient
from relay.accounts.names import fetch_setup
from relay.errors import RelayError, StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import Record
from relay.operations.drift_reports import DriftReports, is_stale
from relay.operations.field_findings import read_findings
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.timefmt import format_time

WATCH_DRIFT, COMPARE_DRIFT = "drift", "drift-compare"  # kinds of jobs, as they are stored
ASK_EVERY_MS: Final = 24 * 3_600_000
JITTER: Final = 0.1  # of each wait, so that accounts are not all asked at once
RETRY_MS: Final = 3_600_000  # after an account could not be asked
COMPARE_EVERY_MS: Final = 60_000


class _Args(Record):
    """The arguments of the job that asks an account."""

    source: str


class DriftWatch:
    """The functions of two kinds of jobs: ask an account, and compare what is known of all with the configuration."""

    def __init__(
        self,
        live: LiveConfig,
        store: Store,
        config_path: str,
        account: Callable[[str], AccountClient],
        owned: Callable[[Iterable[str]], Sequence[str]] = list,
    ) -> None:
        self._live = live
        self._config_path = config_path
        self._account = account
        self._owned = owned
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._reports = DriftReports(self._shared)

    async def ask(self, job: Job) -> int | None:
        """Ask an account, and compare it. The job ends where it has no API any more, or another shard has it."""
        source = _DECODER.decode(job.args).source
        if source not in self._live.config.sources_with_api or not self._owned([source]):
            return None
        if closed := await self._closed(source):
            await self._reports.note_failure(source, closed)
            return _vary(RETRY_MS)
        try:
            setup = await fetch_setup(self._account(source))
        except StoreUnavailable:
            raise
        except RelayError as error:  # it refuses, is away, or answered in part: that is no drift
            log.warning("account.not_compared", source=source, reason=str(error))
            await self._reports.note_failure(source, str(error))
            return _vary(RETRY_MS)
        await self._reports.save_setup(source, setup)
        await self._compare([source])
        return _vary(ASK_EVERY_MS)

    async def compare(self, _: Job) -> int:
        """Compare the accounts anew whose answer, or the configuration, is another one than it was."""
        config = self._live.config
        reports = await self._reports.read(self._owned(config.sources_with_api))
        misses = (await read_findings(self._shared)).misses if reports else {}
        if stale := [name for name, report in reports.items() if is_stale(report, config, misses.get(name, {}))]:
            await self._compare(stale)
        return COMPARE_EVERY_MS

    async def _compare(self, sources: Sequence[str]) -> None:
        from relay.cases.uses import read_case_uses  # a worker needs cases for nothing else, and this once a day

        config = self._live.config
        of_cases = await read_case_uses(config, self._config_path)
        misses = (await read_findings(self._shared)).misses
        for source in sources:
            report = await self._reports.compare(config, source, of_cases, misses.get(source, {}))
            if report is not None:
                log.info("account.compared", source=source, drifts=len(report.drifts) + report.more)

    async def _closed(self, source: str) -> str:
        """Return why the account's gate is closed; empty where it is open."""
        account = next(one for one in await self._reader.accounts([source]) if one.source == source)
        until = account.gate.closed_until(self._store.clock.ms())
        return (
            "" if until is None else f"{source}: look-ups are closed until {format_time(until)}: {account.gate.reason}"
        )


def _vary(wait_ms: int) -> int:
    return round(wait_ms * random.uniform(1 - JITTER, 1))


def drift_args(source: str) -> bytes:
    """Return the arguments of the job that asks an account."""
    return msgspec.json.encode(_Args(source=source))


_DECODER = msgspec.json.Decoder(_Args)
