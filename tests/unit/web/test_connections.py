"""What the log says of connections that were closed: a line a minute, however many strangers there are."""

import structlog

from relay.web.connections import MALFORMED, TOO_MANY, Connections


class Closed:
    def __init__(self, overdue: str | None = None) -> None:
        self._overdue = overdue
        self.answer: object = "none yet"

    def overdue(self, now: float) -> str | None:
        return self._overdue

    def refuse(self, status: object) -> None:
        self.answer = status


def test_closed_connections_are_counted_by_reason_and_logged_once_a_minute():
    connections = Connections()
    with structlog.testing.capture_logs() as lines:
        for _ in range(200):
            connections.close(Closed(), MALFORMED)
        connections.close_overdue(now=1000)
        for _ in range(3):
            connections.close(Closed(), TOO_MANY)
        connections.close_overdue(now=1059)
        assert [line.get("malformed") for line in lines] == [200]
        connections.close_overdue(now=1060)
    assert [(line["event"], line.get("malformed"), line.get("too_many")) for line in lines] == [
        ("web.connections_closed", 200, None),
        ("web.connections_closed", None, 3),
    ]


def test_overdue_connections_are_closed_once_and_the_others_stay():
    connections = Connections()
    late, timely = Closed("silent"), Closed()
    for connection in (late, timely):
        connections.add(connection)
    connections.close_overdue(now=0)
    assert (late.answer, timely.answer) == (None, "none yet")
    late.answer = "not closed again"
    connections.close_overdue(now=1)
    assert late.answer == "not closed again"
