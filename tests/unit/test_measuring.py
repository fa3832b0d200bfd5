"""The bench's arithmetic: which rounds its figures come from."""

from tests.bench.measuring import Series, ratio


def series(*rounds: tuple[int, float], needs_busy: bool = True) -> Series:
    """Return rounds of a second each: so many done, and how busy the one who did them was."""
    made = Series()
    for number, (done, busy) in enumerate(rounds):
        made.add(number, done, 1.0, busy, needs_busy=needs_busy)
    return made


def test_the_figures_come_from_the_rounds_in_which_it_was_the_limit():
    row = series((600, 0.95), (100, 0.5), (800, 0.9)).row()
    assert (row["rounds"], row["counted"], row["per_second"], row["busy"]) == (3, 2, 700, 0.93)


def test_where_no_round_counts_all_are_told_and_that_none_does():
    row = series((600, 0.8), (400, 0.5)).row()
    assert (row["counted"], row["per_second"]) == (0, 500)


def test_who_cannot_be_busy_counts_all_the_same():
    assert series((600, 0.1), needs_busy=False).row()["counted"] == 1


def test_a_round_in_which_the_load_was_the_limit_is_told_and_does_not_count():
    made = series((600, 0.95))
    made.add(1, 900, 1.0, 0.95, limited=True)
    row = made.row()
    assert (row["rounds"], row["counted"], row["per_second"]) == (2, 1, 600)
    assert [one["counts"] for one in row["each_round"].values()] == [True, False]


def test_the_ratio_is_that_of_the_rounds_that_count_for_both():
    ours = series((6000, 0.95), (4000, 0.8), (6000, 0.95))
    theirs = series((9000, 0.95), (9000, 0.95), (5000, 0.5))
    assert ratio(ours, theirs) == {
        "rate": 0.667, "cpu": 1.5, "counted": 1, "rate_of_all": 0.667, "cpu_of_all": 1.583,
    }  # fmt: skip


def test_without_such_a_round_the_ratio_is_of_all_that_both_have():
    ours, theirs = series((4000, 0.8), (5000, 0.8), (1, 0.8)), series((8000, 0.95), (10000, 0.95))
    assert ratio(ours, theirs) == {
        "rate": 0.5, "cpu": 1.684, "counted": 0, "rate_of_all": 0.5, "cpu_of_all": 1.684,
    }  # fmt: skip
    assert ratio(ours, Series())["rate"] is None
