"""The figures for people: tables in Markdown, as the README has them. What was not measured is left out."""

import statistics
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.load_results import COMPARED

BEGIN, END = "<!-- bench begins -->\n", "<!-- bench ends -->\n"  # around the figures in a page
Found = Mapping[str, Any]
WIDTH: Final = 120

NAMES: Final = {
    "relay": "the relay",
    "least": "the least that keeps the promise: Starlette, a stream, aiohttp",
    "fastify_bullmq": "Fastify, BullMQ",
    "fastapi_celery": "the usual way: FastAPI, `task.delay`, requests",
}


HOW_RATES: Final = """\
All do the same, on the same two cores, each with a store of its own that syncs its file before each answer: take a
form of 2 KB, keep it, and make one POST of it to a receiver that answers at once. The rivals send it as it came;
the relay has a route, renders and keeps its story, and makes eight deliveries at a time, to a sink that honours
idempotency keys: to one that does not, a hook takes one more synced write. The rivals make up to 64 at a time, the
usual way 16. Hooks are sent on a fixed schedule, whether or not earlier ones were answered, and the time counts
from the begin of the POST to its arrival. CPU is that of all processes together, the store's too. A synced write is
a command, or what a script wrote at once, in the store's file; several that come at the same moment share a sync."""


def replace_figures(page: Path, found: Found) -> None:
    """Write the figures into a page, between its marks."""
    replace_between(page, BEGIN, format_figures(found), END)


def replace_between(page: Path, begin: str, figures: str, end: str) -> None:
    """Write figures into a page between two marks, which stay."""
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    assert found, f"{page} has no place for the figures"
    assert closed, f"{page} has no end of the figures"
    page.write_text(f"{before}{begin}{figures}{end}{after}")


def format_figures(found: Found) -> str:
    """Return all that was measured, a paragraph or table for each part."""
    machine = found["machine"]
    told = [f"Measured on {machine['cores']} cores ({machine['cpu']}).\n"]
    told += [write(found) for write, parts in PARAGRAPHS if parts <= found.keys()]
    return "\n".join(told)


def _rates(found: Found) -> str:
    rates = found["rates"]
    loads = rates["loads"]
    often = "one round" if rates["rounds"] == 1 else f"{rates['rounds']} rounds"
    told = f"End to end, at commit `{rates['commit']}`, {often}:\n"
    *paced, most = [str(load["per_second"]) for load in loads]
    heads = [*(f"{rate} hooks/s" for rate in paced), f"{loads[-1]['hooks']:,} at {loads[-1]['per_second']:,}/s"]
    lines = [_cells("p50 / p99 in ms; CPU ms a hook", *heads)]
    lines.append("|---" * (len(heads) + 1) + "|")
    for name, of in rates["contenders"].items():
        ratios = rates["relay_to"].get(name, {})
        cells = [_paced(of[rate], ratios.get(rate)) for rate in paced]
        lines.append(_cells(NAMES[name], *cells, _most(of[most], ratios.get(most))))
    lines += [_cells(NAMES[name], *[why] * len(heads)) for name, why in rates["missing"].items()]
    return "\n".join([told, *lines, "", *_costs(rates, [*paced, most]), "", HOW_RATES, ""])


def _paced(row: Found, ratio: Found | None) -> str:
    text = f"{_number(row['p50_ms'])} / {_number(row['p99_ms'])}; {_number(row['cpu_ms'])}"
    if ratio is None:
        return text
    p50, p99, cpu = (_times(ratio[name]) for name in COMPARED)
    return f"{text} (relay: {p50} / {p99}; {cpu} times it)"


def _most(row: Found, ratio: Found | None) -> str:
    text = f"{row['taken']:.0%} taken, {row['per_second']:,.0f}/s delivered; {_number(row['cpu_ms'])}"
    return text if ratio is None else f"{text} (relay: {_times(ratio['cpu_ms'])} times it)"


def _costs(rates: Found, columns: list[str]) -> Iterator[str]:
    yield _cells(
        "synced writes and store commands a hook", *(f"{int(rate):,}/s" for rate in columns), "idle, % of a core"
    )
    yield "|---" * (len(columns) + 2) + "|"
    for name, of in rates["contenders"].items():
        cells = [f"{_number(of[rate]['synced_writes'])}, {_number(of[rate]['commands'])}" for rate in columns]
        idle = ", ".join(f"{part} {percent:.1f}" for part, percent in rates["idle_percent"][name].items())
        yield _cells(NAMES[name], *cells, idle)


HOW_FULL_LOAD: Final = (
    "How: the measured process is alone on its core; store, load and receiver share the other. The store is the "
    "embedded one, with {allocator} as its allocator, and does not rewrite its log meanwhile. Relay and aiohttp have "
    "256 deliveries under way, the usual way 16 threads; 64 made it no faster. A round counts where the measured "
    "process used 90 % of its core, the usual worker excepted, which waits for its broker. A hook costs the store five "
    "commands, a routed event six, a delivery seven; a hundred hooks are one round trip, a hundred deliveries from "
    "inbox to sink three. Tests fail when any of these counts grows."
)


def _full_load(found: Found) -> str:
    took, sent = found["ingest"], found["deliver"]
    heads = ("full load", "relay", "stores nothing: a Starlette endpoint, an aiohttp loop", NAMES["fastapi_celery"])
    lines = [
        f"Full load, {_commits(took, sent)}:\n",
        _cells(*heads),
        "|---" * len(heads) + "|",
        _rate("hooks taken a second, one web process, each on disk before its 202", took, TAKEN_BY),
        _cpu("CPU of the web process a hook", took, TAKEN_BY),
        _rate("deliveries a second, one worker: decoded, routed, rendered, limited, logged, told", sent, SENT_BY),
        _cpu("CPU of the worker a delivery", sent, SENT_BY),
    ]
    how = HOW_FULL_LOAD.format(allocator=took["allocator"])
    return "\n".join([*lines, "", *_beside_the_table(took, sent), "", _paragraph(how)])


def _commits(*parts: Found) -> str:
    commits = list(dict.fromkeys(part["commit"] for part in parts))
    return f"at commit{'s' * (len(commits) > 1)} {' and '.join(f'`{commit}`' for commit in commits)}"


TAKEN_BY: Final = "bare_starlette", "fastapi_celery"
SENT_BY: Final = "bare_aiohttp", "celery_requests"


def _rate(what: str, part: Found, rivals: tuple[str, str]) -> str:
    rows, (bare, usual), to = part["contenders"], rivals, part["relay_to"]
    ours, least, theirs = (f"{rows[name]['per_second']:,.0f}" for name in ("relay", bare, usual))
    of_it, times = _times(to[bare]["rate"]), _times(to[usual]["rate"])
    return _cells(what, ours, f"{least} (relay: {of_it} of it)", f"{theirs} (relay: {times} times it)")


def _cpu(what: str, part: Found, rivals: tuple[str, str]) -> str:
    rows, (bare, usual), to = part["contenders"], rivals, part["relay_to"]
    ours, least, theirs = (f"{rows[name]['cpu_us_each']:,.0f} µs" for name in ("relay", bare, usual))
    return _cells(what, ours, f"{least} (relay: {_times(to[bare]['cpu'])} times it)", theirs)


def _beside_the_table(took: Found, sent: Found) -> Iterator[str]:
    latency, ours, to = took["latency"], sent["contenders"]["relay"], sent["relay_to"]
    marking, half = sent["contenders"]["relay_marking"], latency["half_load"]
    yield _item(
        "To a sink that knows no idempotency key, where each delivery is marked on the disk before its bytes leave, it",
        f"is {marking['per_second']:,.0f} deliveries a second.",
    )
    yield _item(
        "What the relay itself costs shows against what it stands on: it takes",
        f"{_times(took['relay_to']['bare_asgi']['rate'])} of the hooks of an empty ASGI endpoint on the same router,",
        f"and makes {_times(to['bare_transport']['rate'])} of the deliveries of an empty loop on its own transport.",
    )
    yield _item(
        f"99 % of hooks are answered within {latency['p99_ms_full_load']:.0f} ms under full load, and within",
        f"{half['p99_ms']:.0f} ms where {half['senders']} senders make half of it. Refused, or not answered in",
        f"two seconds, were {took['failed']['relay']:,} of the relay's, and {took['failed']['fastapi_celery']:,} of",
        "the usual way's.",
    )
    if few := took.get("few_senders"):
        yield _item(
            f"With {few['senders']:.0f} senders that wait for their answers the web process uses {few['busy']:.2f} of",
            f"its core, and takes {few['per_second']:,.0f} hooks a second; 99 % of them within {few['p99_ms']:.0f} ms.",
        )
    yield _item(
        f"Of {ours['rounds']} rounds {took['contenders']['relay']['counted']} of the hooks count, and",
        f"{ours['counted']} of the deliveries; over all of them the deliveries are",
        f"{_times(to['bare_aiohttp']['rate_of_all'])} of the loop's, and",
        f"{_times(to['celery_requests']['rate_of_all'])} times the usual way's.",
    )


PACKED: Final = "bytes_per_packed_event"


def _memory(found: Found) -> str:
    memory = found["memory"]

    def kb(name: str) -> str:
        return f"{memory[name] / 1000:.1f} KB"

    packed = f", from two and a half hours on {kb(PACKED)}" if PACKED in memory else ""
    worker, peak = memory["worker_mb_before_draining"], memory["worker_mb_peak_while_draining"]
    return _paragraph(
        f"In the store, {_commits(memory)}, a receipt takes {kb('bytes_per_stored_receipt')} until it is routed,",
        f"an event with its waiting delivery {kb('bytes_per_event_with_waiting_delivery')}, a delivered one",
        f"{kb('bytes_per_delivered_event')}{packed}",
        f"({memory['receipts']:,} of them). The worker has {worker:.0f} MB before it drains them, and {peak:.0f} MB at",
        "most meanwhile.",
    )


def _returns(found: Found) -> str:
    lines = [
        f"- {what}: {statistics.median(seconds):.1f} s, {max(seconds):.1f} s at most"
        for what, seconds in found["returns"].items()
        if what != "commit"
    ]
    return "\n".join(["How long it takes from then on until all that was acknowledged has arrived:\n", *lines, ""])


PARAGRAPHS: Final[tuple[tuple[Callable[[Found], str], set[str]], ...]] = (
    (_rates, {"rates"}),
    (_full_load, {"ingest", "deliver"}),
    (_memory, {"memory"}),
    (_returns, {"returns"}),
)


def _item(*parts: str) -> str:
    return textwrap.fill(" ".join(parts), WIDTH, initial_indent="- ", subsequent_indent="  ")


def _paragraph(*parts: str) -> str:
    return f"{textwrap.fill(' '.join(parts), WIDTH)}\n"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    """Write two digits that matter."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _times(value: float | None) -> str:
    return (
        "?"
        if value is None
        else f"{value:.0f}"
        if value >= 9.5
        else f"{value:.1f}"
        if value >= 0.95
        else f"{value:.2f}"
    )
