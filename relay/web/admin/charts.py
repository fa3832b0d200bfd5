"""Charts as the points of an SVG: numbers a minute, with a line where the configuration changed. Pure."""

from collections.abc import Sequence

from relay.model import Record

WIDTH, HEIGHT = 600, 110


class Line(Record):
    """A line of a chart: its paths, one for each stretch without a gap."""

    name: str
    paths: Sequence[str]
    areas: Sequence[str] = ()  # what is beneath it


class Mark(Record):
    """Where the configuration changed, and to which version."""

    x: float
    at: int
    version: str


class Chart(Record):
    """A chart of WIDTH by HEIGHT: `top` is what its upper edge stands for."""

    lines: Sequence[Line]
    top: float
    now: float | None  # the newest number of the first line
    marks: Sequence[Mark] = ()
    width: int = WIDTH
    height: int = HEIGHT


def draw_chart(
    series: Sequence[tuple[str, Sequence[float | None]]],
    marks: Sequence[tuple[int, int, str]] = (),
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Chart:
    """Draw named series of equal length on one scale. `marks`: index, time and version of each change."""
    top = round_up(max((number for _, line in series for number in line if number is not None), default=0))
    count = max((len(line) for _, line in series), default=0)
    step = width / max(count - 1, 1)
    known = [number for number in series[0][1] if number is not None] if series else []
    return Chart(
        lines=[_line(name, line, step, top, height) for name, line in series],
        top=top,
        now=known[-1] if known else None,
        marks=[Mark(x=round(index * step, 1), at=at, version=version) for index, at, version in marks],
        width=width,
        height=height,
    )


def round_up(number: float) -> float:
    """Return the next number above that people like on a scale: 1, 2 or 5 with noughts."""
    scale = 1.0
    while True:
        for factor in (1, 2, 5):
            if number <= factor * scale:
                return factor * scale
        scale *= 10


def _line(name: str, numbers: Sequence[float | None], step: float, top: float, height: int) -> Line:
    paths, areas, stretch = [], [], list[tuple[float, float]]()
    for index, number in enumerate([*numbers, None]):
        if number is not None:
            stretch.append((round(index * step, 1), round(height - 2 - (height - 6) * number / top, 1)))
        elif stretch:
            points = [*stretch, (stretch[0][0] + 2, stretch[0][1])] if len(stretch) == 1 else stretch
            path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
            paths.append(path)
            areas.append(f"{path} L{points[-1][0]:g} {height} L{points[0][0]:g} {height} Z")
            stretch = []
    return Line(name=name, paths=paths, areas=areas)
