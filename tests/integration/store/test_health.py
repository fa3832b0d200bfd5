"""Health says what the store survives and how full it is, by trying."""

import re

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.errors import ConfigError, StoreUnavailable
from relay.store.connect import connect
from relay.store.health import Durability, MemoryUse, check_writable, read_durability, read_memory_use


@pytest.fixture
def client_of(run):
    """Connect to servers; every client is closed at the end."""
    clients = []

    def open_to(server):
        clients.append(connect(server.url, answer_seconds=10))
        return clients[-1]

    yield open_to
    for client in clients:
        run(client.aclose())


@pytest.mark.parametrize(
    ("options", "grade"),
    [
        pytest.param([], "fsync", id="every write is on disk before its answer"),
        pytest.param(["--appendfsync", "everysec"], "everysec", id="the disk is written to once a second"),
        pytest.param(["--appendfsync", "no"], "memory", id="the disk is written to when the system likes"),
        pytest.param(["--appendonly", "no"], "memory", id="nothing is on disk"),
    ],
)
def test_the_grade_is_what_a_crash_would_show(run, start_server, client_of, options, grade):
    client = client_of(start_server(*options))
    found = run(read_durability(client, "{relay}:probe"))
    assert (found.grade, found.policy, found.replicas, str(found)) == (grade, "noeviction", 0, grade)


@pytest.mark.parametrize(
    ("options", "grade"),
    [
        pytest.param([], "fsync", id="a write is on disk at once"),
        pytest.param(["--appendfsync", "no"], "everysec", id="a write takes its time"),
        pytest.param(["--appendonly", "no"], "memory", id="nothing is on disk"),
    ],
)
def test_where_it_may_not_say_a_write_is_timed(run, start_server, client_of, options, grade):
    """Managed servers forbid CONFIG."""
    client = client_of(start_server(*options))
    run(client.acl_setuser("default", enabled=True, nopass=True, commands=["+@all", "-config"], keys=["*"]))
    assert run(read_durability(client, "{relay}:probe")).grade == grade


def test_what_it_evicts_is_told(run, start_server, client_of):
    client = client_of(start_server("--maxmemory-policy", "allkeys-lru"))
    assert run(read_durability(client, "{relay}:probe")).policy == "allkeys-lru"


def test_a_replica_is_no_store(run, server, start_server, client_of):
    client = client_of(start_server("--replicaof", "127.0.0.1", "1"))
    with pytest.raises(StoreUnavailable, match="replica: it takes no writes"):
        run(read_durability(client, "{relay}:probe"))


def test_the_probe_leaves_nothing_behind_for_long(run, store):
    key = store.keys.probe
    run(check_writable(store.client, key))
    assert 0 < run(store.client.pttl(key)) <= 60_000


def test_a_replica_behind_it_is_told():
    assert str(Durability(grade="fsync", replicas=1, policy="noeviction")) == "fsync+replica"
    assert str(Durability(grade="fsync", replicas=0, policy="noeviction")) == "fsync"


@pytest.mark.parametrize(
    ("used", "limit", "full"),
    [(850, 1000, True), (849, 1000, False), (2000, 1000, True), (10**12, 0, False)],
)
def test_full_begins_at_85_percent(used, limit, full):
    assert MemoryUse(used=used, limit=limit).full is full


def test_room_is_read_from_the_server(run, start_server, client_of):
    seen = run(read_memory_use(client_of(start_server("--maxmemory", "50mb"))))
    assert seen.limit == 50 * 1024 * 1024
    assert 0 < seen.used < seen.limit
    assert not seen.full


def test_a_store_that_is_full_takes_no_writes_and_still_says_what_it_survives(run, start_server, client_of):
    client = client_of(start_server("--maxmemory", "1"))
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        run(check_writable(client, "{relay}:probe"))
    assert run(read_durability(client, "{relay}:probe")).grade == "fsync"
    assert run(read_memory_use(client)).full


def test_a_store_that_is_away_is_said_to_be_away(run, tmp_path):
    client = connect(f"unix://{tmp_path}/nobody.sock", answer_seconds=1)
    for asked in (read_memory_use(client), read_durability(client, "{relay}:probe")):
        with pytest.raises(StoreUnavailable, match="the store cannot take it"):
            run(asked)
    run(client.aclose())


@pytest.mark.parametrize(
    ("grade", "replicas", "policy", "refused"),
    [
        ("fsync", 0, "noeviction", ""),
        ("everysec", 1, "noeviction", ""),
        ("fsync", 0, "unknown", ""),
        ("everysec", 0, "noeviction", "grade is everysec"),
        ("memory", 1, "noeviction", r"grade is memory\+replica"),
        ("fsync", 0, "allkeys-lru", r"evicts \(allkeys-lru\)"),
        ("everysec", 1, "volatile-ttl", r"evicts \(volatile-ttl\)"),
    ],
)
def test_what_strict_refuses(grade, replicas, policy, refused):
    found = Durability(grade=grade, replicas=replicas, policy=policy).weakness
    assert re.search(refused, found) if refused else found == ""


@pytest.mark.parametrize("command", ["web", "worker"])
@pytest.mark.parametrize(
    ("options", "refused"),
    [(["--appendfsync", "everysec"], "grade is everysec"), (["--maxmemory-policy", "allkeys-lru"], "evicts")],
)
def test_strict_starts_no_process_on_a_store_that_may_lose_hooks(
    start_server, monkeypatch, tmp_path, command, options, refused
):
    (tmp_path / "relay.yaml").write_text("sources:\n  acme: {type: amocrm, token: long-enough}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", start_server(*options).url)
    monkeypatch.setenv("RELAY_CONFIG", "relay.yaml")
    monkeypatch.setenv("RELAY_DURABILITY", "strict")
    done = CliRunner().invoke(app, [command])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("RELAY_DURABILITY=strict: the store")
    assert refused in str(done.exception)
