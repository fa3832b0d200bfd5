"""How a cost grows is named by the simplest law that says what was seen."""

import pytest

from tests.bench.growth.fitting import Growth, fit_growth

STEPS = (1, 10, 100, 1000)


@pytest.mark.parametrize(
    ("costs", "growth"),
    [
        ([140, 141, 140, 139], Growth.CONSTANT),
        ([140, 150, 131, 160], Growth.CONSTANT),  # a tenth more or less is another run
        ([0, 0, 0, 0], Growth.CONSTANT),
        ([141, 150, 240, 1140], Growth.LINEAR),
        ([1, 10, 100, 1000], Growth.LINEAR),
        ([10, 17, 23, 30], Growth.LOGARITHMIC),
        ([10, 18, 22, 31], Growth.LOGARITHMIC),
        ([400, 300, 200, 100], Growth.FALLING),
    ],
)
def test_the_growth_is_the_law_that_fits_best(costs, growth):
    assert fit_growth(STEPS, costs).growth is growth


def test_a_line_has_what_nothing_costs_and_what_each_adds():
    fit = fit_growth(STEPS, [141, 150, 240, 1140])
    assert (round(fit.base), round(fit.slope, 3), round(fit.error, 6)) == (140, 1.0, 0)


def test_a_logarithm_has_what_each_doubling_adds():
    fit = fit_growth((1, 2, 4, 8), [5, 15, 25, 35])
    assert (fit.growth, round(fit.base), round(fit.slope)) == (Growth.LOGARITHMIC, 5, 10)


def test_two_steps_say_nothing():
    with pytest.raises(AssertionError, match="too few steps"):
        fit_growth((1, 2), [1, 2])
