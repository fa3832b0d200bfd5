"""Bells over RabbitMQ."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.harness import HookSender, lead_hook, run_relay, stored_leads, until
from tests.e2e.rabbitmq import running_rabbitmq
from tests.e2e.test_broker_away import CONFIG


def test_workers_receive_bells_over_rabbitmq(tmp_path: Path) -> None:
    with (
        running_rabbitmq(tmp_path / "rabbitmq") as url,
        run_relay(tmp_path, CONFIG, CELERY_BROKER_URL=url) as processes,
    ):
        until(lambda: "ready." in processes.log("worker"), what="Celery to listen")
        sender = HookSender(processes)
        for lead in range(20):
            assert sender.post(lead_hook(lead))[0] == 202
        sender.close()
        until(lambda: len(stored_leads(processes)) == 20, what="all leads to arrive")
        doctor = [sys.executable, "-m", "relay", "doctor"]
        shown = subprocess.run(doctor, env=processes.environ, capture_output=True, text=True, check=False).stdout
        assert "it takes messages" in shown
        for name in ("web", "worker"):
            log = processes.log(name)
            assert not [event for event in ("bell.failed", "broker.away", "consumer.deaf", "Traceback") if event in log]
