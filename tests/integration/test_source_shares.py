"""One source that floods is answered 503 beyond its share of the store; the others are taken."""

import pytest
from structlog.testing import capture_logs

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.operations.doctor import diagnose
from relay.operations.examination import Examination
from relay.operations.store_admission import StoreAdmission
from relay.store.health import MemoryUse
from relay.store.source_use import fills, read_source_fills
from relay.web import store_monitor
from relay.web.store_monitor import StoreMonitor
from tests.integration.store.shapes import hook, routed

CONFIG = """
sources:
  acme: {type: amocrm, token: long-enough}
  club: {type: amocrm, token: long-enough-too, share: 50%}
"""
LIMIT = 1_000_000


@pytest.fixture
def live(tmp_path) -> LiveConfig:
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    return LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))


@pytest.fixture
def accept(run, store, live):
    """Store so many hooks of a source."""
    run(store.registry.add_sources(live.config.sources, live.config.shares))

    def go(source: str, n: int) -> None:
        run(store.accept([hook(f"{source}{i:03}", f"{source} {i}".encode(), source=source) for i in range(n)]))

    return go


@pytest.fixture
def read(run, store):
    """Read which part of its share each source takes, where so much of the store is used."""
    return lambda used: run(read_source_fills(store.client, store.keys, MemoryUse(used=used, limit=LIMIT)))


def test_a_source_alone_has_the_whole_store_and_several_have_80_percent_each(tmp_path, live):
    assert live.config.shares == {"acme": 0.8, "club": 0.5}
    (tmp_path / "relay.yaml").write_text("sources: {acme: {type: amocrm, token: long-enough}}")
    alone = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(tmp_path / "relay.yaml")}))
    assert alone.config.shares == {}


def test_what_is_used_is_split_by_what_the_sources_sent():
    memory = MemoryUse(used=500_000, limit=LIMIT)
    found = fills({"acme": 3, "club": 1}, {"acme": 0.8, "club": 0.5}, memory)
    assert found == pytest.approx({"acme": 375_000 / 680_000, "club": 125_000 / 425_000})
    assert fills({}, {"acme": 0.8}, memory) == fills({"acme": 1}, {"acme": 0.8}, MemoryUse(used=1, limit=0)) == {}


def test_the_hooks_of_a_source_count_against_its_share_until_retention_removes_them(run, store, accept, read):
    accept("acme", 99)
    accept("club", 1)
    found = read(700_000)
    assert found["acme"] > 1 > found["club"] > 0
    taken = run(store.claim_receipts("router", 100, 60_000)).items
    run(store.save_routed("router", [routed(one) for one in taken]))
    week = 7 * 24 * 3_600_000
    while run(store.retention.apply(week, week, 1)).more:
        pass
    left = read(680_000)
    assert min(left.values()) == 0
    assert sum(left[name] * share for name, share in (("acme", 0.8), ("club", 0.5))) == pytest.approx(0.8)


def test_a_source_that_left_the_file_still_takes_its_part(run, store, accept, read, live):
    accept("acme", 50)
    accept("gone", 50)
    run(store.registry.add_sources(["gone"]))
    assert read(680_000)["acme"] == pytest.approx(0.5, rel=0.01)


def test_the_flood_alone_is_refused_and_logged_before(run, store, reader, accept, live, monkeypatch):
    settings = ProcessSettings.from_environ({})
    admission = StoreAdmission(store, "redis://store.example.com", lambda: live.config.sources.keys(), settings)
    monitor = StoreMonitor(reader, live, admission)
    accept("acme", 99)
    accept("club", 1)
    events = []
    for used in (100_000, 600_000, 600_000, 800_000, 100_000):

        async def memory(*_: object, used: int = used) -> MemoryUse:
            return MemoryUse(used=used, limit=LIMIT)

        monkeypatch.setattr(store_monitor, "read_memory_use", memory)
        with capture_logs() as lines:
            run(monitor.check())
        events.append([line["event"] for line in lines if line["event"].startswith("source.")])
        assert (monitor.over_share("acme"), monitor.over_share("club")) == (used == 800_000, False)
    assert events == [[], ["source.filling"], [], ["source.over_share"], []]


@pytest.mark.parametrize(
    ("fill", "grade", "found"),
    [(0.79, None, None), (0.8, "warning", "its hooks take 80% of its share"), (1.2, "bad", "its hooks take 120%")],
)
def test_the_doctor_says_so_before_it_bites(fill, grade, found):
    about = [one for one in diagnose(Examination(now=1, fills={"acme": fill}), {}) if one.about == "source acme"]
    assert [one.grade for one in about] == ([grade] if grade else [])
    assert all(one.found.startswith(found) for one in about)
