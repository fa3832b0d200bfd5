"""What time, dying workers, jobs and people do."""

from hypothesis import strategies as st

from relay.config.schema import RetentionSection
from relay.model import Outcome
from relay.store.acts import Act
from relay.store.keys import INBOX, JOBS
from relay.store.packed import PACKED_AFTER_MS
from tests.integration.store.reference.actions import (
    HOUR,
    KEEPS,
    MINUTE,
    action,
    delays,
    few,
    lost,
    pick,
    queues,
    recent,
    sinks,
    workers,
)
from tests.integration.store.reference.driver import ACCOUNT, LEASE_MS
from tests.integration.store.reference.facts import WINDOW_MS
from tests.integration.store.shapes import new, settlement

ages = st.sampled_from(["1h", "1d", "9d"])


@action(weight=3, ms=st.sampled_from([1, 500, 1000, 5000, LEASE_MS, LEASE_MS + MINUTE, HOUR, 2 * HOUR, 24 * HOUR]))
def time_passes(driver, ms) -> None:
    driver.pass_time(ms)


@action(when=lambda driver: driver.in_hand(), worker=workers, sending=st.booleans())
def a_worker_is_gone(driver, worker, sending) -> None:
    driver.end_leases(worker, sending)


@action(weight=2, worker=workers, listens=st.sampled_from([True, True, True, False]))
def a_worker_looks(driver, worker, listens) -> None:
    if listens:
        driver.connect(worker)
    driver.look(worker, listens)


@action(when=lambda driver: driver.wake_ups, worker=workers)
def a_worker_loses_its_connection(driver, worker) -> None:
    if worker in driver.wake_ups:
        driver.disconnect(worker)


@action(queue=queues, worker=workers, others=st.booleans())
def workers_die_again_and_again(driver, queue, worker, others) -> None:
    for _ in range(5):
        if others:
            driver.claim(INBOX, worker, 1)
        driver.claim(queue, worker, 1)
        driver.pass_time(LEASE_MS + MINUTE)
    driver.claim(queue, worker, 1)


@action(
    when=lambda driver: driver.waiting_sinks(),
    at=recent,
    outcome=st.sampled_from([Outcome.RETRY, Outcome.UNKNOWN]),
    delay_ms=delays,
)
def a_sink_is_down(driver, at, outcome, delay_ms) -> None:
    sink = pick(driver.waiting_sinks(), at)
    for _ in range(12):
        taken = driver.claim_deliveries(f"sink:{sink}", "w1", 3)
        items = [settlement(one, outcome, next(driver.numbers), delay_ms=delay_ms, **KEEPS) for one in taken]
        if items:
            driver.settle(sink, items)
        driver.pass_time(1000)


@action(id=st.sampled_from(["retention", "silence"]), delay_ms=delays)
def a_job_is_made(driver, id, delay_ms) -> None:
    driver.enqueue_job(id, delay_ms)


@action(when=lambda driver: driver.waits(JOBS), worker=workers, lost=lost)
def jobs_are_claimed(driver, worker, lost) -> None:
    driver.claim_jobs(worker, lost)


@action(when=lambda driver: driver.jobs, at=recent, again_ms=st.sampled_from([None, 0, MINUTE]))
def a_job_ends(driver, at, again_ms) -> None:
    driver.finish_job(pick(driver.jobs, at), again_ms)


@action(when=lambda driver: driver.state.facts.windows, later=st.booleans())
def windows_of_facts_end(driver, later) -> None:
    if later:
        driver.pass_time(WINDOW_MS)
    driver.end_fact_groups()


@action(age_ms=st.sampled_from([0, HOUR, 24 * HOUR]), count=st.sampled_from([0, 2, 1000]), most=few)
def retention_runs(driver, age_ms, count, most) -> None:
    driver.apply_retention(age_ms, 2 * age_ms, count, most)


@action(delivered=ages, skipped=ages, dead=ages)
def ages_are_applied(driver, delivered, skipped, dead) -> None:
    own = {"acme": {"cancelled": skipped, "dead": dead}}
    driver.apply_ages(RetentionSection.model_validate({"delivered": delivered, "skipped": skipped, "sources": own}))


@action(weight=3, when=lambda driver: driver.state.finished, later=st.booleans(), most=few)
def finished_receipts_are_packed(driver, later, most) -> None:
    if later:
        driver.pass_time(PACKED_AFTER_MS)
    driver.pack(most)


@action(
    weight=4,
    when=lambda driver: driver.made,
    at=recent,
    act=st.sampled_from([Act.RETRY, Act.CANCEL, Act.CONFIRM, Act.RESEND]),
)
def a_person_acts(driver, at, act) -> None:
    driver.act(pick(driver.made, at), act)


@action(weight=2, when=lambda driver: driver.made, at=recent, looks_up=st.booleans(), force=st.booleans())
def a_person_has_it_rendered_anew(driver, at, looks_up, force) -> None:
    id = pick(driver.made, at)
    delivery = driver.state.deliveries.get(id)
    if delivery:
        anew = new(id, delivery.receipt, content=b"" if looks_up else f"anew {id}".encode())
        driver.render(id, anew, ACCOUNT if looks_up else f"sink:{delivery.sink}", force)


@action(when=lambda driver: driver.made, at=recent, to=sinks, planned=st.sampled_from(["", "o3", "p"]))
def a_person_moves_it(driver, at, to, planned) -> None:
    id = pick(driver.made, at)
    delivery = driver.state.deliveries.get(id)
    if delivery and delivery.sink != to:
        plan = new(planned if planned == "o3" else f"p-{driver.name(id)}", delivery.receipt, once=planned == "o3")
        driver.move(id, to, plan if planned and not delivery.planned else None)


@action(sink=sinks, act=st.sampled_from(["pause", "resume"]), ms=st.sampled_from([0, MINUTE]))
def a_person_pauses_or_resumes(driver, sink, act, ms) -> None:
    driver.set_pause(sink, act, driver.state.now + ms if ms else 0)
