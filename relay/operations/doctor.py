"""Diagnose the relay: what is wrong, what that means, and what to do about it. Pure."""

from collections.abc import Container

from relay.config.schema import RetentionSection
from relay.operations.account_diagnosis import diagnose_accounts
from relay.operations.dead_letters import diagnose_dead_letters
from relay.operations.diagnosis import Diagnosis
from relay.operations.drift_diagnosis import diagnose_drift, diagnose_empty_fields
from relay.operations.erasure_diagnosis import diagnose_erasures
from relay.operations.examination import Examination
from relay.operations.receipt_diagnosis import diagnose_receipts
from relay.operations.sink_diagnosis import diagnose_sinks
from relay.operations.source_diagnosis import diagnose_shares, diagnose_sources
from relay.operations.store_diagnosis import diagnose_broker, diagnose_store

_MEND_FIRST = "mend the configuration first"


def diagnose(
    examination: Examination, configured: Container[str] | None, keep: RetentionSection | None = None
) -> list[Diagnosis]:
    """Diagnose the store, the broker, the workers, the sinks, the accounts and the sources.

    `configured`: the sinks of the configuration; None where that cannot be read. `keep`: its retention.
    """
    found = list(diagnose_store(examination))
    if (now := examination.now) is not None:
        found += diagnose_receipts(examination.malformed, examination.quarantined)
        found += diagnose_sinks(examination.sinks, configured, now, examination.causes)
        if examination.dead_letters is not None and keep is not None:
            found += diagnose_dead_letters(examination.dead_letters, examination.memory, keep, now)
        found += diagnose_accounts(examination.accounts, now)
        found += diagnose_sources(examination.sources)
        found += diagnose_drift(examination.drift, now)
        found += diagnose_empty_fields(examination.empty_fields)
        found += diagnose_shares(examination.fills)
        found += diagnose_erasures(examination.erasures, now)
    if configured is None:
        means = "the configuration says which have an api, and which sinks are still wanted"
        found.append(
            Diagnosis(
                about="sources", grade="warning", found="not examined", means=means, advice=_MEND_FIRST,
                kind="sources-unexamined",
            )
        )  # fmt: skip
    if examination.broker is not None:
        found.append(diagnose_broker(examination.broker or None))
    return found
