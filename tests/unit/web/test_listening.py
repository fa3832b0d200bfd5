import socket

import pytest

from relay.web.listening import let_nobody_in, listen


def test_who_is_in_is_served_and_nobody_else_gets_in():
    with listen("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        with socket.create_connection(address, 10) as early:
            let_nobody_in(listening)
            early.sendall(b"hook")
            served, _ = listening.accept()
            with served:
                assert served.recv(4) == b"hook"
                served.sendall(b"202")
                assert early.recv(3) == b"202"
        # Neither connected nor refused: it is asked again, when another may listen there.
        with socket.socket() as late:
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(address)


def test_the_next_process_takes_whom_the_last_one_left_unanswered():
    first = listen("127.0.0.1", 0)
    address = first.getsockname()
    let_nobody_in(first)
    with socket.socket() as late:
        late.setblocking(False)
        assert late.connect_ex(address) != 0
        first.close()
        with listen(*address) as second, second.accept()[0], late:
            late.setblocking(True)
            assert late.getpeername() == address
