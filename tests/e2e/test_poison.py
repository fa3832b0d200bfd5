"""A receipt that kills whoever decodes it is put aside, and the rest goes on."""

import asyncio
from pathlib import Path

from relay.errors import RelayError
from relay.model import ReceiptState
from relay.processes.supervisor import Processes
from relay.store.stored import StoredReceipt
from tests.chaos.test_nothing_lost import CONFIG
from tests.e2e.harness import HookSender, lead_hook, open_reader, run_relay, stored_leads, until

POISON = Path(__file__).parent / "poison"
LEADS = 30


def receipt(processes: Processes, id: str) -> StoredReceipt:
    async def read() -> StoredReceipt:
        with open_reader(processes) as reader:
            (found,) = await reader.receipts([id])
            await reader.client.aclose()
        return found

    return asyncio.run(read())


def revive(processes: Processes) -> None:
    """Start the worker again where it has died, as a process manager does."""
    try:
        processes.check()
    except RelayError:
        processes.kill("worker")
        try:
            processes.start("worker")
        except RelayError:
            return  # dead again before it was ready: next time


def test_a_receipt_that_kills_its_worker_is_quarantined_and_the_rest_goes_on(tmp_path: Path) -> None:
    config = CONFIG.replace("inbox_lease: 2s", "inbox_lease: 1s")
    with run_relay(tmp_path, config, PYTHONPATH=f"{POISON}:{Path.cwd()}") as processes:
        sender = HookSender(processes)
        for lead in range(LEADS // 2):
            sender.post_until_taken(lead_hook(lead))
        poison = sender.post_until_taken(lead_hook(999, name="kill-the-worker"))["receipt"]
        for lead in range(LEADS // 2, LEADS):
            sender.post_until_taken(lead_hook(lead))

        def quarantined() -> bool:
            revive(processes)
            return receipt(processes, poison).state is ReceiptState.QUARANTINED

        until(quarantined, seconds=200, what="the quarantine")
        assert receipt(processes, poison).reason == "the worker died five times"
        revive(processes)
        sender.post_until_taken(lead_hook(LEADS))
        sender.close()
        until(lambda: stored_leads(processes).keys() >= set(range(LEADS + 1)), what="all other leads")
        assert 999 not in stored_leads(processes)
