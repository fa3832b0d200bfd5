"""A relay of three shards on a cluster: each account has one, and a shard that hangs stops its own accounts only."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.embedded.server import EmbeddedStore
from relay.processes.supervisor import Processes
from relay.store.shard_list import FIRST, choose_shard, shard_namespace
from tests.clusters import Cluster, names_on_other_nodes, run_cluster, slot_of
from tests.e2e.harness import HookSender, lead_hook, run_relay, stored_leads, until

SECOND, THIRD = names_on_other_nodes()
SHARDS = ("00", SECOND, THIRD)
SOURCES = {shard: next(f"account{n}" for n in range(100) if choose_shard(f"account{n}", SHARDS) == shard)
           for shard in SHARDS}  # fmt: skip


FAR = next(f"far{n}" for n in range(100) if choose_shard(f"far{n}", SHARDS) == THIRD)  # a sink whose home is the third


def config(sources: list[str], far: str = "") -> str:
    listed = "".join(f"  {name}: {{type: amocrm, token: test-token}}\n" for name in sources)
    return f"""
sources:
{listed}
sinks:
  books: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/books"}}
{far and FAR_SINK}
routes:
  - {{name: leads, on: add_lead, to: books, body: {{lead: "{{{{ lead.id }}}}"}}}}
{far and FAR_ROUTE}
"""


FAR_SINK = f'  {FAR}: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/far"}}'
FAR_ROUTE = f'  - {{name: to-far, on: add_lead, to: {FAR}, body: {{lead: "{{{{ lead.id }}}}"}}}}'


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tmp_path_factory.mktemp("shards")) as cluster:
        for node in cluster.nodes:  # else the others refuse everything while one slot is not served
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        yield cluster


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    server = EmbeddedStore(tmp_path_factory.mktemp("broker"), "--appendonly", "no")
    server.start()
    yield server
    server.stop()


def relay(processes: Processes, *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit status and what it prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "relay", *arguments], capture_output=True, text=True, env=processes.environ, timeout=120
    )
    return ran.returncode, ran.stdout + ran.stderr


@contextmanager
def hanging(cluster: Cluster, shard: str) -> Iterator[None]:
    """Let the nodes hang that have a shard's slot."""
    pids = [node.pid for node in cluster.of_slot(slot_of(shard_namespace("relay", shard)))]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_accounts_are_shared_out_and_one_hung_shard_stops_its_own_only(
    tmp_path: Path, cluster: Cluster, broker: EmbeddedStore
) -> None:
    url = cluster.url.rpartition("/")[0]
    with run_relay(tmp_path, config(["acme"]), REDIS_URL=url, CELERY_BROKER_URL=broker.url) as processes:
        first = HookSender(processes)
        first.post_until_taken(lead_hook(1))
        assert relay(processes, "shards", "add", SECOND, "--by", "anna")[0] == 0
        assert relay(processes, "shards", "add", THIRD, "--by", "anna")[0] == 0
        status, said = relay(processes, "shards", "add", SECOND, "--by", "anna")
        assert status == 1
        assert f"there is a shard {SECOND} already" in said
        (tmp_path / "relay.yaml").write_text(config(["acme", *SOURCES.values()], far=FAR))
        senders = {shard: HookSender(processes, source) for shard, source in SOURCES.items()}
        for n, sender in enumerate(senders.values()):
            sender.post_until_taken(lead_hook(10 + n))
        books, far = (lambda: stored_leads(processes, "books")), (lambda: stored_leads(processes, "far"))
        until(lambda: set(books()) == {1, 10, 11, 12}, what="a lead of every shard to arrive")
        until(lambda: set(far()) == {10, 11, 12}, what="the same for the sink whose home is the third shard")
        status, said = relay(processes, "shards", "list")
        assert status == 0
        for shard, source in SOURCES.items():
            assert source in said.partition(f"{shard}  ")[2].split("\n")[1]
        status, said = relay(processes, "events", "list")
        assert all(source in said for source in SOURCES.values()), said
        status, said = relay(processes, "sinks", "list")
        assert "books" in said
        with hanging(cluster, THIRD):
            status = senders[THIRD].post(lead_hook(20))[0]
            assert status == 503
            for n in range(5):
                for shard in (SHARDS[0], SECOND):
                    status, _ = senders[shard].post(lead_hook(30 + n + 100 * (shard == SECOND)))
                    assert status == 202
            wanted = {30 + n + 100 * k for n in range(5) for k in (0, 1)}
            until(lambda: wanted <= set(books()), 30, what="the leads of the others to arrive")
            assert not wanted & set(far()), "its home hangs, so nobody knows what may leave for it"
            status, said = relay(processes, "events", "list")
            assert f"shard {THIRD} is away" in said
            assert SOURCES[SECOND] in said
            assert relay(processes, "shards", "list")[0] == 2
            assert f"shard {THIRD}" in relay(processes, "doctor")[1]
            with urllib.request.urlopen(f"{processes.url}/admin/api/events", timeout=60) as answer:
                assert answer.headers["relay-shards-away"] == THIRD
            with urllib.request.urlopen(f"{processes.url}/admin/events", timeout=60) as answer:
                assert f"The shard {THIRD} does not answer: what is shown is without it." in answer.read().decode()
        senders[THIRD].post_until_taken(lead_hook(21))
        until(lambda: 21 in books(), what="the lead of the shard that hung")
        until(lambda: wanted | {21} <= set(far()), 60, what="what waited for the home of its sink")
        assert max(books().values()) == max(far().values()) == 1
        with hanging(cluster, FIRST):  # platforms restart processes daily, also while the first shard is away
            for name in ("web", "worker"):
                processes.kill(name)
            processes.start("web", "worker")
            senders[SECOND].post_until_taken(lead_hook(60))
            until(lambda: 60 in far(), what="a lead of the second shard for a sink whose home is the third")
            senders[FIRST].close()  # it was to the web process that is gone
            assert senders[FIRST].post(lead_hook(61))[0] == 503
        senders[FIRST].post_until_taken(lead_hook(62))
        until(lambda: {60, 62} <= set(books()), what="what is for the sink whose home is the first shard")
        for sender in (first, *senders.values()):
            sender.close()
