"""`make bench`: every figure side by side in one run. Prints tables, writes bench.json; `--help` tells the options.

`python -m tests.bench rates --rounds 1` measures one part alone, and briefly. With `--read docs/bench.json` the other
parts stay as they are there; `--publish` writes the figures wherever the project tells them. So parts are measured anew
by one command, and where no part is named only the pages are written:

    python -m tests.bench ingest deliver memory --read docs/bench.json --publish
    python -m tests.bench --read docs/bench.json --publish
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import deliver, ingest, latency, memory, rates, returns, silent
from tests.bench.contenders import START
from tests.bench.measuring import MEASURED, OTHERS, Series, ratio
from tests.bench.publishing import NEEDED, publish
from tests.bench.report import Found, format_figures
from tests.bench.stack import allocator_of, relay_store

PARTS = ("ingest", "deliver", "latency", "rates", "memory", "silent", "returns")
ROUNDS = 5


def main() -> None:
    asked = _arguments()
    found: Found = json.loads(asked.read.read_text()) if asked.read else {}
    if asked.parts:
        found = {**found, **_measure(asked, found)}
        asked.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        _table(found)
    if asked.publish:
        publish(found)


def _measure(asked: argparse.Namespace, earlier: Found) -> dict[str, object]:
    """Measure the parts that are asked for. Each tells its commit: parts are often measured alone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    _install()
    os.sched_setaffinity(0, {OTHERS})
    rounds = asked.rounds or ROUNDS
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        logs = Path(folder)
        machine = describe_machine(logs)
        commit = {"commit": machine.pop("commit")}
        _check_same_machine(machine, earlier)
        found: dict[str, object] = {"machine": machine, "pinning": _pinning()}
        if "ingest" in asked.parts:
            with relay_store(logs / "ingest") as server:
                measured = _compared(ingest.bench(server, rounds, asked.seconds, logs))
                found["ingest"] = {**commit, "allocator": allocator_of(server), **measured}
        if "deliver" in asked.parts:
            with relay_store(logs / "deliver") as server:
                measured = _compared(deliver.bench(server, rounds, asked.deliveries, logs))
                found["deliver"] = {**commit, "allocator": allocator_of(server), **measured}
        if "latency" in asked.parts:
            with relay_store(logs / "latency") as server:
                found["end_to_end"] = {**commit, **latency.bench(server, asked.seconds * 4, logs)}
        if "rates" in asked.parts:
            found["rates"] = {**commit, **rates.bench(asked.rounds or rates.ROUNDS, asked.contenders, logs)}
        if "memory" in asked.parts:
            with relay_store(logs / "memory") as server:
                found["memory"] = {**commit, **memory.bench(server, asked.receipts, logs)}
        if "silent" in asked.parts:
            with relay_store(logs / "silent") as server:
                found["silent"] = {**commit, **silent.bench(server, rounds, asked.seconds * 3, logs)}
        if "returns" in asked.parts:
            found["returns"] = {**commit, **returns.bench(rounds)}
    return found


def _check_same_machine(machine: Found, earlier: Found) -> None:
    """End where earlier figures are of another machine: a page tells of one."""
    for what in ("cpu", "cores"):
        if earlier and earlier["machine"][what] != machine[what]:
            told = f"{earlier['machine'][what]!r}, here it is {machine[what]!r}"
            sys.exit(f"the figures that are read are of another machine ({what}: {told}): measure all parts")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; else all, or with --read none")
    parser.add_argument("--rounds", type=int, help=f"else {ROUNDS}, and {rates.ROUNDS} of rates")
    parser.add_argument("--seconds", type=float, default=4.0, help="of load in a round of ingest")
    parser.add_argument("--deliveries", type=int, default=20_000, help="in a round of deliver")
    parser.add_argument("--receipts", type=int, default=100_000, help="for memory")
    parser.add_argument(
        "--contenders", nargs="+", choices=START, default=list(START), help="in rates, beside the relay"
    )
    parser.add_argument("--json", type=Path, help="where the figures go; else to --read, or bench.json")
    parser.add_argument("--read", type=Path, help="figures of earlier runs: they stay where a part is not measured")
    parser.add_argument(
        "--publish", action="store_true", help="write the figures into the README, `relay capacity` and its page"
    )
    asked = parser.parse_args()
    asked.parts = asked.parts or ([] if asked.read else list(PARTS))
    asked.json = asked.json or asked.read or Path("bench.json")
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    if asked.publish and not asked.read and (lacking := NEEDED - set(asked.parts)):
        parser.error(f"--publish needs {', '.join(sorted(lacking))}: measure them too, or --read earlier figures")
    return asked


def _install() -> None:
    """Install the load generator."""
    if shutil.which("wrk"):
        return
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "wrk"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def describe_machine(folder: Path) -> dict[str, object]:
    """Return what the figures are of: the machine, and the commit."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    commit = _output_of("git", "describe", "--always", "--dirty", "--exclude", "*")
    return {
        "cpu": cpu.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit,
        "store_on": _output_of("stat", "-f", "-c", "%T", str(folder)),  # on tmpfs nothing would be on disk
    }


def _output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _pinning() -> str:
    alone = f"core {MEASURED}: the measured process (end to end: web and worker); core {OTHERS}: store, wrk or receiver"
    return f"{alone}; rates: all on both"


def _compared(result: dict[str, object]) -> dict[str, object]:
    series = result.pop("series")
    assert isinstance(series, dict)
    ours: Series = series["relay"]
    return {
        **result,
        "contenders": {name: one.row() for name, one in series.items()},
        "relay_to": {name: ratio(ours, one) for name, one in series.items() if name != "relay"},
    }


def _table(found: dict[str, object]) -> None:
    out = sys.stdout
    out.write(f"{found['machine']}\n{found['pinning']}\n")
    for part in ("ingest", "deliver"):
        result = found.get(part)
        if not isinstance(result, dict):
            continue
        widths = (12, 13, 7, 10, 13, 12, 11, 14)
        heads = (
            "per second",
            "CPU µs each",
            "busy",
            "counted",
            "relay, rate",
            "relay, CPU",
            "in rounds",
            "rate of all",
        )
        out.write(f"\n{part:<18}" + "".join(f"{head:>{w}}" for head, w in zip(heads, widths, strict=True)) + "\n")
        for name, row in result["contenders"].items():
            to = result["relay_to"].get(name, {})
            cells = [
                row["per_second"],
                row["cpu_us_each"],
                row["busy"],
                f"{row['counted']}/{row['rounds']}",
                *(to.get(key, "") for key in ("rate", "cpu", "counted", "rate_of_all")),
            ]
            out.write(f"{name:<18}" + "".join(f"{cell!s:>{w}}" for cell, w in zip(cells, widths, strict=True)) + "\n")
        each = {k: v for k, v in result.items() if k.startswith("store_commands")}
        for name, counted in each.items():
            scripts = counted.get("evalsha", 0)
            total = sum(n for command, n in counted.items() if command not in ("info", "ping"))
            out.write(f"  {name}: {total:.2f}, in {scripts:.3f} round trips\n")
    for part in ("end_to_end", "silent"):
        if part in found:
            out.write(f"\n{part}: {found[part]}\n")
    taken = found.get("ingest")
    if isinstance(taken, dict):
        out.write(f"\nlatency of a hook: {taken['latency']}\n")
    out.write(f"\n{format_figures(found)}")


if __name__ == "__main__":
    main()
