"""The figures for people: one table of what a hook costs as work grows, with the law of each cost and why. Pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.growth.fitting import Fit, Growth, fit_growth
from tests.bench.growth.reasons import COSTS, RATES, REASONS
from tests.bench.growth.steps import PARTS
from tests.bench.report import WIDTH, replace_between

BEGIN, END = "<!-- growth begins -->\n", "<!-- growth ends -->\n"  # around the figures in a page
Found = Mapping[str, Any]
_LARGE: Final = 100.0


def replace_growth(page: Path, found: Found) -> None:
    """Write the figures into a page, between its marks."""
    replace_between(page, BEGIN, format_growth(found), END)


def format_growth(found: Found) -> str:
    """Return the table of all parts that were measured, and why a cost grows where it does."""
    machine, parts = found["machine"], found["parts"]
    commits = dict.fromkeys(part["commit"] for part in parts.values())
    told = (
        f"Measured on {machine['cores']} cores ({machine['cpu']}) at commit {_listed(f'`{one}`' for one in commits)}."
    )
    lines = ["| with more… | cost | at each step | growth |", "|---|---|---|---|"]
    reasons: list[str] = []
    for name, part in parts.items():
        lines += list(_rows(name, part))
        reasons += list(_reasons(name, part))
    day = ["## A day of a thousand accounts", "", *_day(found["day"]), ""] if "day" in found else []
    calls = ["## How long a call keeps the store", "", *_calls(found["calls"]), ""] if "calls" in found else []
    return "\n".join([told, "", *lines, "", "What grows, and why:", "", *reasons, "", *calls, *day])


def _calls(calls: Found) -> Iterator[str]:
    yield _paragraph(
        f"At commit `{calls['commit']}`, where {calls['waiting']:,} deliveries wait. A script holds up all others",
        "while it runs. The commands are the most that one took, with those beside it; CPU is of the store's thread",
        "for each script, with what it read and wrote to its file. The times by the clock are of the slow log, with",
        "all that the machine did meanwhile.",
    )
    yield ""
    yield "| what | scripts | commands | CPU, ms | by the clock, least / median / longest, ms |"
    yield "|---" * 5 + "|"
    for row in calls["rows"]:
        clock = " / ".join(number(row[f"{name}_ms"]) for name in ("least", "median", "longest"))
        yield f"| {row['what']} | {row['calls']:,} | {row['commands']:,} | {number(row['cpu_ms'])} | {clock} |"


def _day(day: Found) -> Iterator[str]:
    busy, sample, each = day["minute"], day["sample"], day["bytes_each"]
    yield _paragraph(
        f"At commit `{day['commit']}`: {day['accounts']:,} accounts send {day['hooks']:,} hooks, in the busiest hour",
        f"{day['busiest_hour']:,}, in the busiest second {day['busiest_second']:,}. Of that was played:",
    )
    yield ""
    heads = (
        "played",
        "hooks",
        "repeated",
        "answered, p99 ms",
        "POST to arrival, p50 / p99 ms",
        "web / workers / store",
    )
    yield f"| {' | '.join(heads)}, µs of CPU a hook | likewise, cores |"
    yield "|---" * (len(heads) + 1) + "|"
    yield _played("the busiest minute, at its own pace", busy)
    yield _played(f"a sample of the day, in {sample['seconds']:.0f} s", sample)
    yield ""
    stored, packed = number(each["stored"]), number(each["packed"])
    first, further = number(day["store_mb_a_day"]), number(day["store_mb_a_further_day"])
    yield _paragraph(
        f"A hook takes {stored} bytes of the store, from two and a half hours on {packed} (of all kinds, most of which",
        f"no route takes). So a day of it takes {first} MB, each further day that `retention` keeps {further} MB. By",
        f"the busiest minute, and half of a core for each process, it takes {day['webs']} web process(es) and",
        f"{day['workers']} worker(s); the whole day {number(day['cpu_hours_a_day'])} hours of one core, at the price",
        "of a hook of that minute.",
    )


def _played(what: str, of: Found) -> str:
    processes = ("web", "workers", "store")
    cpu = " / ".join(number(of[f"{name}_cpu_us"]) for name in processes)
    cores = " / ".join(number(of[f"{name}_cores"]) for name in processes)
    late = f"{number(of['late_p50_ms'])} / {number(of['late_p99_ms'])}"
    return (
        f"| {what} | {of['hooks']:,} | {of['repeated']:,} | {number(of['answer_p99_ms'])} | {late} | {cpu} | {cores} |"
    )


def _paragraph(*parts: str) -> str:
    return textwrap.fill(" ".join(parts), WIDTH)


def _rows(name: str, part: Found) -> Iterator[str]:
    counts = part["counts"]
    title = f"{PARTS[name].title}: {', '.join(f'{count:,}' for count in counts)}"
    for cost, fit in fits(part).items():
        values = ", ".join(number(step[cost]) for step in part["costs"])
        yield f"| {title} | {COSTS[cost]} | {values} | {law(cost, fit, PARTS[name].each)} |"


def fits(part: Found) -> dict[str, Fit]:
    """Return the law of each cost of a part. A step of nothing counts as one, so that it has a logarithm."""
    counts = [max(count, 1) for count in part["counts"]]
    return {cost: fit_growth(counts, [step[cost] for step in part["costs"]]) for cost in part["costs"][0]}


def law(cost: str, fit: Fit, each: str) -> str:
    """Name a law, with what one more, or twice as many, adds."""
    if cost in RATES and fit.slope > 0:
        return "rising"
    if fit.growth is Growth.LINEAR:
        return f"**linear**: {number(fit.slope)} for {each}"
    if fit.growth is Growth.LOGARITHMIC:
        return f"logarithmic: {number(fit.slope)} for twice as many"
    return str(fit.growth)


def _grows(cost: str, fit: Fit) -> bool:
    """Return whether more of it costs more. A rate that rises costs nothing."""
    return fit.growth in (Growth.LINEAR, Growth.LOGARITHMIC) and cost not in RATES


def unexplained(found: Found) -> list[str]:
    """Return the costs that grow and have no reason."""
    return [
        f"{name}: {cost} is {fit.growth}"
        for name, part in found["parts"].items()
        for cost, fit in fits(part).items()
        if _grows(cost, fit) and cost not in REASONS[name]
    ]


def _reasons(name: str, part: Found) -> Iterator[str]:
    """Yield why the costs of a part grow, those with one reason together."""
    grown: dict[str, list[str]] = {}
    for cost, fit in fits(part).items():
        if _grows(cost, fit):
            grown.setdefault(REASONS[name].get(cost, "**unexplained**"), []).append(COSTS[cost])
    for reason, costs in grown.items():
        text = f"**{PARTS[name].title}** ({_listed(costs)}): {' '.join(reason.split())}"
        yield textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ")


def _listed(words: "Sequence[str] | Iterator[str]") -> str:
    return ", ".join(words)


def number(value: float) -> str:
    """Write three digits that matter."""
    if abs(value) >= _LARGE or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"
