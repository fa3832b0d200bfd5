"""How a cost grows with what is counted: the simplest of a few laws that says what was seen. Pure."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

PENALTY: Final = 0.15
"""What a law with a slope must explain more than "constant" does, as a share of the mean: so far figures of one machine
differ from run to run."""


class Growth(StrEnum):
    """How a cost grows."""

    CONSTANT = "constant"
    FALLING = "falling"
    LOGARITHMIC = "logarithmic"
    LINEAR = "linear"


class Fit(NamedTuple):
    """cost = base + slope * n, or * log2(n); `error`: the root mean square of what is left, as a share of the mean.

    A constant has the slope 0, and what falls is not fitted further.
    """

    growth: Growth
    base: float
    slope: float
    error: float


_SCALES: Final[Mapping[Growth, Callable[[float], float]]] = {Growth.LOGARITHMIC: math.log2, Growth.LINEAR: float}


def fit_growth(counts: Sequence[float], costs: Sequence[float]) -> Fit:
    """Fit by least squares against nothing, log n and n. The counts are 1 or more, and there are at least three."""
    assert len(counts) == len(costs) >= 3, "too few steps to tell how it grows"
    mean = statistics.fmean(costs)
    constant = Fit(Growth.CONSTANT, mean, 0.0, _error(costs, [mean] * len(costs)))
    sloped = [_line(growth, [scale(n) for n in counts], costs) for growth, scale in _SCALES.items()]
    best = min(sloped, key=lambda fit: fit.error)
    if best.error + PENALTY >= constant.error:
        return constant
    if best.slope < 0:
        return best._replace(growth=Growth.FALLING)
    return best


def _line(growth: Growth, scaled: Sequence[float], costs: Sequence[float]) -> Fit:
    slope, base = statistics.linear_regression(scaled, costs)
    return Fit(growth, base, slope, _error(costs, [base + slope * x for x in scaled]))


def _error(costs: Sequence[float], fitted: Sequence[float]) -> float:
    mean = abs(statistics.fmean(costs))
    if not mean:
        return 0.0
    return math.sqrt(statistics.fmean((seen - said) ** 2 for seen, said in zip(costs, fitted, strict=True))) / mean
