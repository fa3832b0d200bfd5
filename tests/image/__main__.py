"""`make image-test`: build deploy/Dockerfile and run the image for real, as its own user, killed once.

Wants Debian 12, root, and about three minutes the first time, one afterwards.
"""

import os
import signal
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port, http_get
from relay.processes.supervisor import Processes
from tests.chaos.oracle import unexplained
from tests.chaos.test_nothing_lost import CONFIG
from tests.e2e.harness import (
    HookSender,
    lead_hook,
    pause_request,
    paused_requests,
    release_requests,
    stored_leads,
    until,
)
from tests.image.building import build, configuration
from tests.image.containers import Container

HOOKS = 300
NOT_SHOWN = """\
Not shown by this: the official base image (this one is Debian's own Python 3.11 under its name), an engine's network,
volumes, restart policies, resource limits and its running of the health check by itself; compose and Kubernetes."""


def main() -> None:
    """Build, then run."""
    build()
    says = configuration()
    assert says["User"] == "10001:10001", says["User"]
    assert (says["Entrypoint"], says["Cmd"]) == (["relay"], ["web"]), says
    with ExitStack() as ending:
        run(Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="image-test-"))), ending)
    print("green.", NOT_SHOWN, sep="\n")


def run(folder: Path, ending: ExitStack) -> None:
    """Run web and worker in a container each, a store and the receiver beside them."""
    folder.chmod(0o755)  # the image's user reads the configuration in it
    mounted = folder / "etc"
    mounted.mkdir()
    (mounted / "relay.yaml").write_text(CONFIG)
    processes = start_neighbours(folder, ending)
    given = {name: processes.environ[name] for name in ("REDIS_URL", "PORT", "RELAY_SANDBOX_URL")}
    web, worker = (Container(configuration(), mounted, given) for _ in range(2))
    ending.callback(web.remove)
    ending.callback(worker.remove)
    check_image(web)

    web.start(folder / "web.log", *configuration()["Cmd"])
    until(lambda: (said := http_get(processes.port, "/readyz")) is not None and said[0] == 200, what="web to be ready")
    assert os.stat(f"/proc/{web.pid()}").st_uid == 10001
    assert web.healthy(), "the health check fails beside a web process that is ready"
    report("web is ready, healthy, and runs as 10001")

    worker.start(folder / "worker.log", "worker")
    owned = [container.run("ls", "-AR", "/var/lib/relay").stdout for container in (web, worker)]
    deliver(processes, worker, folder / "worker.log")
    assert [container.run("ls", "-AR", "/var/lib/relay").stdout for container in (web, worker)] == owned
    web.end(signal.SIGTERM)  # uvicorn ends by the signal after it has answered all: its status says nothing
    assert "Finished server process" in (folder / "web.log").read_text()
    assert worker.end(signal.SIGTERM) == 0
    assert "worker.stopped" in (folder / "worker.log").read_text()
    assert not web.healthy(), "the health check succeeds where nothing runs"
    report("web and worker ended in order on SIGTERM")


def start_neighbours(folder: Path, ending: ExitStack) -> Processes:
    """Start what the containers reach over loopback: a store, and the sandbox that receives."""
    port = free_port()
    store = EmbeddedStore(folder / "store", "--port", str(port), "--bind", "127.0.0.1")
    guard = OrphanGuard()
    ending.callback(guard.close)
    store.start()
    guard.watch(store.pid)
    ending.callback(store.stop)
    inherited = {name: value for name, value in os.environ.items() if name not in ("PORT", "RELAY_CONFIG")}
    processes = Processes(folder / "relay", {**inherited, "REDIS_URL": f"redis://127.0.0.1:{port}/0"})
    ending.enter_context(processes)
    processes.start("sandbox")
    return processes


def check_image(container: Container) -> None:
    """Ask the image what needs no server: that it is whole, and that its user may write to nothing of it."""
    checked = container.relay("check", "--strict")
    assert checked.returncode == 0, checked.stderr
    for place in ("/opt/relay", "/etc/relay", "/"):
        assert container.run("touch", f"{place}/written").returncode != 0, f"its user can write to {place}"
    assert container.run("touch", "/var/lib/relay/written").returncode == 0, "its user cannot write to its own folder"
    report(checked.stdout.strip())


def deliver(processes: Processes, worker: Container, log: Path) -> None:
    """Post hooks while the worker is killed in the middle of a call: each arrives, and every double is explained."""
    posted: set[int] = set()

    def post() -> None:
        sender = HookSender(processes)
        for lead in range(HOOKS):
            sender.post_until_taken(lead_hook(lead))
            posted.add(lead)
        sender.close()

    until(lambda: "worker.started" in log.read_text(), what="the worker to start")
    sender = threading.Thread(target=post)
    sender.start()
    until(lambda: len(stored_leads(processes)) >= HOOKS // 3, what="a third of the hooks to arrive")
    pause_request(processes, "before-answer")
    until(lambda: paused_requests(processes), what="a call that waits for its answer")
    worker.end(signal.SIGKILL)
    release_requests(processes)
    until(lambda: len(posted) >= HOOKS * 2 // 3, what="hooks to be taken without a worker")
    worker.start(log, "worker")
    sender.join()
    arrived = until(lambda: (seen := stored_leads(processes)).keys() >= posted and seen, what="every hook to arrive")
    assert posted == set(range(HOOKS))
    doubled = {lead for lead, times in arrived.items() if times > 1}
    assert doubled, "the call that was cut was not made again"
    assert not unexplained(processes, doubled)
    report(f"{HOOKS} hooks posted and delivered, worker killed once, {len(doubled)} sent again after they were cut")


def report(line: str) -> None:
    """Say how far it is."""
    print(f"image-test: {line}", flush=True)


if __name__ == "__main__":
    main()
