"""The web process as `relay web` starts it: where it listens, who may see what, and how it ends under load."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.config.environment import environ
from relay.embedded.server import EmbeddedStore
from relay.processes.ports import free_port, http_get
from tests.e2e.harness import FORM, TOKEN, lead_hook, until

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: [{TOKEN}, the-token-before]}}
sinks:
  out: {{type: log}}
routes:
  - {{name: all, on: add_lead, to: out, body: {{lead: "{{{{ lead.id }}}}"}}}}
"""
ADMIN_TOKEN = "an-admin-token-of-this-test"
STOPS = 2
SENDERS = 8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    server = EmbeddedStore(tmp_path / "store")
    server.start()
    yield server
    server.stop()


class Web:
    """`relay web` with its own port."""

    def __init__(self, folder: Path, store: EmbeddedStore, variables: Mapping[str, str]) -> None:
        config = folder / "relay.yaml"
        config.write_text(CONFIG)
        self.port = free_port()
        inherited = {name: value for name, value in environ().items() if not name.startswith("RELAY_")}
        own = {
            "REDIS_URL": store.url,
            "RELAY_CONFIG": str(config),
            "PORT": str(self.port),
            "PYTHONPATH": str(Path.cwd()),
        }
        self.environ = {**inherited, **own, "RELAY_HOST": "127.0.0.1", **variables}

    def start(self) -> None:
        command = [sys.executable, "-m", "relay", "web"]
        self.process = subprocess.Popen(command, env=self.environ, stdout=subprocess.DEVNULL, start_new_session=True)
        until(
            lambda: (answer := http_get(self.port, "/healthz")) is not None and answer[0] == 200, what="web to answer"
        )

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(30) in (0, -signal.SIGTERM)

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(body) if is_json else {"text": body.decode()}


@contextmanager
def running(folder: Path, store: EmbeddedStore, **variables: str) -> Iterator[Web]:
    web = Web(folder, store, variables)
    web.start()
    try:
        yield web
    finally:
        if web.process.poll() is None:
            web.stop()


def post(port: int) -> str:
    """Post a hook over a connection of its own; return how that ended."""
    try:
        # It listens before it is ready: on a busy machine that takes seconds.
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    except ConnectionRefusedError:
        return "refused"
    try:
        with connection:
            body = lead_hook(1)
            head = f"POST /hooks/acme/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            return connection.recv(4096)[9:12].decode() or "closed without an answer"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "not answered"


@pytest.mark.parametrize("processes", ["1", "2"])
def test_whoever_is_let_in_is_answered_while_the_web_processes_end(tmp_path, store, processes):
    ended = threading.Event()
    answers: Counter[str] = Counter()
    lock = threading.Lock()
    with running(tmp_path, store, WEB_CONCURRENCY=processes) as web:

        def send() -> None:
            while not ended.is_set():
                answer = post(web.port)
                with lock:
                    answers[answer] += 1
                if answer == "refused":
                    ended.wait(0.01)

        senders = [threading.Thread(target=send) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(STOPS):
            before = answers["202"]
            until(lambda before=before: answers["202"] > before + 100, what="hooks to be taken")
            web.stop()
            web.start()
        ended.set()
        for sender in senders:
            sender.join()
    assert answers["202"] > STOPS * 100
    assert set(answers) <= {"202", "refused"}, answers


def test_a_web_process_that_is_killed_is_started_again_and_none_outlives_its_parent(tmp_path, store):
    with running(tmp_path, store, WEB_CONCURRENCY="2") as web:
        first = until(lambda: len(found := _children(web.process.pid)) == 2 and found, what="two processes")
        os.kill(first[0], signal.SIGKILL)
        second = until(
            lambda: len(found := _children(web.process.pid)) == 2 and first[0] not in found and found, what="another"
        )
        assert first[1] in second
        web.process.kill()
        web.process.wait()
        until(lambda: not any(_alive(pid) for pid in second), what="the processes to end")


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
THROUGH_A_PROXY = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Host": "relay.example.com"},
]


def test_strangers_see_alive_and_ready_and_operators_see_the_rest(tmp_path, store):
    with running(tmp_path, store, RELAY_ADMIN_TOKEN=ADMIN_TOKEN, HIREFIRE_TOKEN="a-token-of-hirefire") as web:
        for headers in ({}, *({**proxied, **BEARER} for proxied in THROUGH_A_PROXY)):
            status, detail = web.request("GET", "/readyz", headers)
            assert (status, detail["status"], detail["store"]["durability"]) == (200, "ready", "fsync"), headers
            assert web.request("GET", "/metrics", headers)[0] == 200
        wrong = {"Authorization": f"Bearer {ADMIN_TOKEN}x"}
        for headers in (*THROUGH_A_PROXY, {**THROUGH_A_PROXY[0], **wrong}):
            assert web.request("GET", "/readyz", headers) == (200, {"status": "ready"}), headers
            status, body = web.request("GET", "/metrics", headers)
            assert (status, body) == (
                401, {"error": "for operators only: send Authorization: Bearer $RELAY_ADMIN_TOKEN"},
            )  # fmt: skip
            assert web.request("GET", "/healthz", headers) == (200, {"status": "alive"})
        assert_autoscalers_are_told_what_is_due(web)


def assert_autoscalers_are_told_what_is_due(web):
    for _ in range(3):
        web.request("POST", f"/hooks/acme/{TOKEN}")
    proxied = THROUGH_A_PROXY[0]
    status, body = web.request("GET", "/autoscale", {**proxied, **BEARER})
    assert (status, body["depth"]) == (200, 3)
    assert 0 <= body["oldest_due_seconds"] < 60
    assert web.request("GET", "/autoscale", proxied)[0] == 401
    info = web.request("GET", "/hirefire/a-token-of-hirefire/info", proxied)
    assert info == (200, [{"name": "worker", "quantity": 3}])
    assert web.request("GET", "/hirefire/another/info")[0] == 404


def test_without_an_admin_token_only_this_machine_is_an_operator(lasting):
    assert lasting.request("GET", "/metrics")[0] == 200
    for authorization in ("Bearer", "Bearer ", "Bearer None"):
        headers = {**THROUGH_A_PROXY[0], "Authorization": authorization}
        assert lasting.request("GET", "/metrics", headers) == (
            401, {"error": "for operators only: RELAY_ADMIN_TOKEN is not set"},
        )  # fmt: skip
    assert lasting.request("GET", "/hirefire//info")[0] == 404
    assert lasting.request("GET", "/hirefire/None/info")[0] == 404


def test_both_tokens_of_a_source_are_taken_and_a_refused_hook_is_counted(lasting):
    reasons = {"unknown_source": "", "wrong_token": "acme", "not_a_post": "acme"}

    def counted() -> list[float]:
        return [refused(lasting, reason, source) for reason, source in reasons.items()]

    before = counted()
    assert lasting.request("POST", f"/hooks/acme/{TOKEN}")[0] == 202
    assert lasting.request("POST", "/hooks/acme/the-token-before")[0] == 202
    assert lasting.request("POST", "/hooks/acme/another")[0] == 404
    assert lasting.request("POST", f"/hooks/amce/{TOKEN}")[0] == 404
    assert lasting.request("GET", f"/hooks/acme/{TOKEN}")[0] == 405
    until(lambda: counted() == [count + 1 for count in before], what="the refused hooks to be counted")


def refused(web: Web, reason: str, source: str) -> float:
    """Return how many hooks a web process has refused for a reason."""
    name = rf'relay_hooks_refused_total\{{reason="{reason}",source="{source}"\}}'
    found = re.search(rf"^{name} (\S+)$", str(web.request("GET", "/metrics")[1]["text"]), re.MULTILINE)
    return float(found[1]) if found else 0


def test_it_listens_where_relay_host_says_and_says_what_stands_in_the_way(lasting):
    web = lasting
    with socket.socket() as other:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", web.port), timeout=30)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        command = [sys.executable, "-m", "relay", "web"]
        ended = subprocess.run(
            command, env={**web.environ, "PORT": taken}, capture_output=True, text=True, timeout=30, check=False
        )
        assert (ended.returncode, ended.stderr) == (1, f"cannot listen on 127.0.0.1:{taken}: Address already in use\n")


@pytest.mark.parametrize("path", ["/hooks/acme/{}/", "//hooks//acme/{}", "/hooks/acme/{}//"])
def test_a_hook_address_with_a_slash_too_many_is_right_all_the_same(lasting, path):
    assert lasting.request("POST", path.format(TOKEN))[0] == 202
    assert lasting.request("POST", path.format("wrong"))[1] == {
        "error": "no such hook address: check the source's name and its token"
    }
    assert lasting.request("GET", path.format(TOKEN))[0] == 405


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/hooks/acme"), ("POST", "/hook/acme/{}"), ("GET", "/hooks/{}"), ("POST", "/{}")]
)
def test_what_is_no_hook_address_is_told_logged_and_counted(lasting, method, path):
    before = refused(lasting, "unknown_path", "")
    assert lasting.request(method, path.format(TOKEN)) == (
        404,
        {"error": "no such path: a hook's address ends with /hooks/SOURCE/TOKEN"},
    )
    until(lambda: refused(lasting, "unknown_path", "") == before + 1, what="it to be counted")


def test_other_paths_are_no_hooks(lasting):
    assert lasting.request("POST", "/healthz")[0] == 405
    assert lasting.request("GET", "/nothing") == (404, {"error": "Not Found"})


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process for several tests, none of which ends it."""
    folder = tmp_path_factory.mktemp("lasting")
    server = EmbeddedStore(folder / "store")
    server.start()
    with running(folder, server) as web:
        yield web
    server.stop()
