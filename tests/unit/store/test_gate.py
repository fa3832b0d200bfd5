"""A gate is read from its fields in one place, and says what is closed at a time."""

import pytest

from relay.store.gate import Gate, read_gate

NOW = 1_795_443_326_526


@pytest.mark.parametrize(
    ("fields", "gate"),
    [
        ({}, Gate()),
        ({b"paused": b"1", b"paused_why": b"410"}, Gate(paused=True, paused_why="410")),
        (
            {b"paused": b"1", b"paused_by": b"anna", b"paused_since": b"5", b"paused_until": b"7"},
            Gate(paused=True, paused_by="anna", paused_since=5, paused_until=7),
        ),
        ({b"until": b"7", b"since": b"5", b"reason": "нет денег".encode()}, Gate(until=7, since=5, reason="нет денег")),
        ({"route:счета".encode(): b"7", b"route:a:b": b"8"}, Gate(routes={"счета": 7, "a:b": 8})),
    ],
)
def test_a_gate_is_read_from_its_fields(fields, gate):
    assert read_gate(fields) == gate


@pytest.mark.parametrize(
    ("gate", "closed", "closed_until"),
    [
        (Gate(), False, None),
        (Gate(paused=True), True, None),
        (Gate(until=NOW + 1), True, NOW + 1),
        (Gate(until=NOW), False, None),  # one delivery may pass, and decides
        (Gate(until=NOW, paused=True), True, None),
        (Gate(routes={"invoices": NOW + 1}), False, None),
    ],
)
def test_a_queue_is_closed_while_it_is_paused_or_its_time_is_not_over(gate, closed, closed_until):
    assert (gate.closed(NOW), gate.closed_until(NOW)) == (closed, closed_until)


def test_a_route_is_closed_until_its_own_time():
    assert Gate(routes={"past": NOW, "invoices": NOW + 1}).closed_routes(NOW) == {"invoices": NOW + 1}
