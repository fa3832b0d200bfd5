"""One sink, however slow, does not delay another; nor does a text, however it is made."""

from pathlib import Path

from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, inject_fault, lead_hook, run_relay, sandbox_requests, stored_leads, until

HEALTHY = [f"good-{n}" for n in range(20)]
HANGING = [f"hung-{n}" for n in range(20)]
LEADS = 40
PER_SECOND = 10


def config() -> str:
    sinks = "".join(
        f'  {name}: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/{name}", '
        f"rate: {PER_SECOND}/s, concurrency: 4}}\n"
        for name in HEALTHY + HANGING
    )
    return f"""
sources:
  acme: {{type: amocrm, token: test-token}}
sinks:
{sinks}
routes:
  - {{name: to the healthy, on: add_lead, to: [{", ".join(HEALTHY)}], body: {{lead: "{{{{ lead.id }}}}"}}}}
  - {{name: to the hanging, on: update_lead, to: [{", ".join(HANGING)}], body: {{lead: "{{{{ lead.id }}}}"}}}}
"""


def rate(processes: Processes, first: int) -> float:
    """Send leads to the healthy sinks; return the slowest one's rate, by the receiving side's clock."""
    sender = HookSender(processes)
    before = len(sandbox_requests(processes))
    for lead in range(first, first + LEADS):
        sender.post_until_taken(lead_hook(lead))
    sender.close()

    def all_arrived() -> dict[str, list[int]] | None:
        times: dict[str, list[int]] = {name: [] for name in HEALTHY}
        for seen in sandbox_requests(processes)[before:]:
            if seen["vendor"] in times:
                times[seen["vendor"]].append(seen["at"])
        return times if all(len(at) == LEADS for at in times.values()) else None

    times = until(all_arrived, what="every lead at every healthy sink")
    return min((LEADS - 1) * 1000 / (max(at) - min(at)) for at in times.values())


def test_twenty_hanging_sinks_leave_twenty_others_their_rate(tmp_path: Path) -> None:
    """The rate is the limiter's, not the machine's: the ratio says roughly what neighbours cost."""
    with run_relay(tmp_path, config()) as processes:
        alone = rate(processes, first=1)
        for name in HANGING:
            inject_fault(processes, fault="hang", vendor=name, times=-1)
        sender = HookSender(processes)
        for lead in range(10_000, 10_000 + LEADS):
            sender.post_until_taken(lead_hook(lead, "update"))
        sender.close()
        hanging = lambda: sum(seen["fault"] == "hang" for seen in sandbox_requests(processes))  # noqa: E731
        until(lambda: hanging() >= 4 * len(HANGING), what="every hanging sink to hang with all its slots")
        beside = rate(processes, first=1000)
        print(f"slowest healthy sink: {alone:.1f}/s alone, {beside:.1f}/s beside twenty that hang")
        assert beside >= 0.5 * alone


def test_no_text_that_anybody_types_halts_the_worker(tmp_path: Path) -> None:
    """Each division of the name among the words was tried: one lead took the worker for ever."""
    config = r"""
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  books:
    type: http
    idempotency: honoured
    url: "${RELAY_SANDBOX_URL}/books"
    rejected_if: {json: {echo: {matches: '^(\w+\s?)+$'}}}
routes:
  - name: named leads
    on: add_lead
    where: {name: {matches: '^(\w+\s?)+$'}}
    to: books
    body: {lead: "{{ lead.id }}"}
"""
    with run_relay(tmp_path, config) as processes:
        sender = HookSender(processes)
        sender.post_until_taken(lead_hook(1, name="a" * 4000 + "!"))
        sender.post_until_taken(lead_hook(2, name="Иван Петров"))
        sender.close()
        until(lambda: stored_leads(processes), what="the lead with a usual name to arrive")
        assert set(stored_leads(processes)) == {2}
