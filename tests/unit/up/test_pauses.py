"""How long a process that has ended is waited for."""

from relay.up.pauses import FORGIVEN_SECONDS, PAUSES, RestartPauses


def test_the_first_end_costs_nothing_and_the_pauses_grow_to_a_longest() -> None:
    pauses = RestartPauses()
    assert [pauses.next(1.0) for _ in range(len(PAUSES) + 2)] == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    assert PAUSES[0] == 0
    assert list(PAUSES) == sorted(PAUSES)


def test_one_that_has_lived_long_is_forgiven() -> None:
    pauses = RestartPauses()
    for _ in range(5):
        pauses.next(1.0)
    assert [pauses.next(FORGIVEN_SECONDS), pauses.next(1.0)] == list(PAUSES[:2])
