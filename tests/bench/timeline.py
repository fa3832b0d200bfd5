"""`python -m tests.bench.timeline [RATE…]`: where a hook's time goes, from its arrival in web until it is settled.

Each span between two stamps, in milliseconds: the median, and what nine of ten take at most. It tells where hooks
wait as there are more of them; it is no figure to compare with others.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from relay.embedded.server import EmbeddedStore
from tests.bench.contenders import RELAY, Contender, start_relay
from tests.bench.deliver import Receiver
from tests.bench.load_results import Load, percentile
from tests.bench.measuring import until
from tests.bench.rates import Contest
from tests.bench.stamps import FOLDER, SIGNAL, Stamps

SPANS = (
    *(("arrived", "left"), ("left", "stored"), ("stored", "heard"), ("heard", "planning"), ("planning", "planned")),
    *(("planned", "writing"), ("writing", "written"), ("written", "begun"), ("begun", "received")),
    *(("received", "answered"), ("answered", "settling"), ("settling", "settled")),
    *(("arrived", "received"), ("arrived", "settled")),
)
SECONDS = 2.0  # of each load


class Span(NamedTuple):
    """How long hooks took from one stamp to another; `count` of them had both."""

    begin: str
    end: str
    count: int
    p50_ms: float | None
    p90_ms: float | None


class Calls(NamedTuple):
    """The calls of one script: how many, for how many hooks or deliveries each on average, and their median."""

    name: str
    count: int
    items: float
    p50_ms: float


def spans_of(stamps: Stamps) -> list[Span]:
    """Compute each span. A hook that was not handed over was never heard, and so on."""
    spans = []
    for begin, end in SPANS:
        took = sorted((of[end] - of[begin]) * 1000 for of in stamps.values() if begin in of and end in of)
        spans.append(Span(begin, end, len(took), percentile(took, 0.5), percentile(took, 0.9)))
    return spans


def calls_of(calls: Sequence[tuple[str, float, float, int]]) -> list[Calls]:
    """Sum up the calls by their names."""
    found = []
    for name in dict.fromkeys(call[0] for call in calls):
        of = [call for call in calls if call[0] == name]
        p50 = statistics.median((end - begin) * 1000 for _, begin, end, _ in of)
        found.append(Calls(name, len(of), sum(call[3] for call in of) / len(of), p50))
    return found


def join(parts: Sequence[Stamps], arrived: Mapping[int, float]) -> Stamps:
    """Join what the processes and the receiver know of each hook, by its receipt."""
    joined: Stamps = {}
    for part in parts:
        for id, stamps in part.items():
            joined.setdefault(id, {}).update(stamps)
    for stamps in joined.values():
        if (at := arrived.get(int(stamps.get("lead", 0)))) is not None:
            stamps["received"] = at
    return joined


def measure(contest: Contest, contender: Contender, receiver: Receiver, per_second: int, folder: Path) -> None:
    """Measure one load, and print it."""
    _read(contender, folder)  # what came before it is forgotten
    result = contest.measure(RELAY, Load(per_second, round(per_second * SECONDS)))
    arrived = {int(lead): at for lead, at in receiver.ask("times").items()}
    parts = _read(contender, folder)
    stamps = join([part["stamps"] for part in parts], arrived)
    print(f"\n{per_second} hooks/s: p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms, {result.cpu_ms:.2f} ms CPU")
    for span in spans_of(stamps):
        if span.p50_ms is not None and span.p90_ms is not None:
            name = f"{span.begin} → {span.end}"
            print(f"  {name:24} {span.count:5}  p50 {span.p50_ms:8.2f}  p90 {span.p90_ms:8.2f}")
    for call in calls_of([call for part in parts for call in part["calls"]]):
        print(f"  {call.name:24} {call.count:5}  p50 {call.p50_ms:8.2f}  {call.items:5.1f} each")


def _read(contender: Contender, folder: Path) -> list[dict]:
    """Let the processes write their stamps, and return these."""
    files = {part: folder / f"{part}.json" for part in ("web", "worker")}
    for part, file in files.items():
        file.unlink(missing_ok=True)
        contender.signal(part, SIGNAL)
    for file in files.values():
        until(file.exists)
    return [json.loads(file.read_text()) for file in files.values()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.timeline")
    parser.add_argument("rates", nargs="*", type=int, default=[5, 50, 400], help="hooks a second; else 5, 50 and 400")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        os.environ[FOLDER] = name

        def start(contender: Contender, server: EmbeddedStore) -> None:
            start_relay(contender, server, web="tests.bench.stamps:create", worker="tests.bench.stamps_of_worker")

        receiver = Receiver(stack, folder)
        contest = stack.enter_context(Contest(receiver, folder, {RELAY: start}))
        contest.start([RELAY])
        for per_second in asked.rates:
            measure(contest, contest.contender(RELAY), receiver, per_second, folder)
            time.sleep(1)


if __name__ == "__main__":
    main()
