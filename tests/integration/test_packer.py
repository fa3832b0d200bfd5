"""The job that packs what was finished long ago goes on until nothing of it is left, and then looks once a minute."""

import pytest

from relay.model import Outcome
from relay.store.records import Job
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import hook, new, routed, settlement
from workers import packer
from workers.packer import EVERY_MS, PACK, Packer

JOB = Job(id=PACK, kind=PACK, args=b"{}", token="w1:j1")
FINISHED = 7


@pytest.fixture
def delivered(run, store) -> list[str]:
    """Return receipts whose deliveries arrived, as if that were a day ago."""

    async def make() -> list[str]:
        ids = [f"r{n}" for n in range(FINISHED)]
        await store.accept([hook(id, id.encode()) for id in ids])
        receipts = (await store.claim_receipts("router", FINISHED, 60_000)).items
        await store.save_routed("router", [routed(one, new(f"d-{one.id}", one.id)) for one in receipts])
        request = sink_claim_request("books", "w1", FINISHED, 60_000, 0, [])
        for one in (await store.claim_deliveries(request)).items:
            await store.settle("books", [settlement(one, Outcome.DELIVERED)], {})
        for id, at in await store.client.zrange(store.keys.finished, 0, -1, withscores=True):
            await store.client.zadd(store.keys.finished, {id: at - 86_400_000})
        return ids

    return run(make())


@pytest.mark.parametrize(("batches", "runs"), [(50, [EVERY_MS]), (2, [0, EVERY_MS])])
def test_all_of_it_is_packed_in_small_calls(run, store, reader, monkeypatch, delivered, batches, runs):
    monkeypatch.setattr(packer, "BATCH", 2)
    monkeypatch.setattr(packer, "BATCHES", batches)
    before = run(reader.receipts(delivered))
    job = Packer(store)
    assert [run(job.pack(JOB)) for _ in runs] == runs
    assert run(store.client.zcard(store.keys.finished_packed)) == FINISHED
    assert run(reader.receipts(delivered)) == before
