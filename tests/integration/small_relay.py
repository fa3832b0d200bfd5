"""A relay without processes: a configuration, hooks that are stored and routed by it, and commands on its store."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from relay.amocrm.form import encode_form
from relay.cli import app
from relay.config.config import Config
from relay.config.load import load_file
from relay.model import Outcome
from relay.planning import plan_receipts
from relay.sinks.registry import make_sinks, sink_types
from relay.store.requests import sink_claim_request
from relay.store.wire.claims import ClaimRequest
from tests.integration.store.shapes import hook, settlement

LEASE_MS = 60_000


class SmallRelay:
    """Configured by `configure`. Its commands are run in a folder of their own."""

    def __init__(self, run, store, reader, folder: Path) -> None:
        self.run, self.store, self.reader = run, store, reader
        self._file = folder / "relay.yaml"
        self._numbers = itertools.count()
        self.config: Config

    def configure(self, text: str) -> None:
        """Put a configuration into force."""
        self._file.write_text(text)
        self.config = load_file(self._file, environ={}, sink_types=sink_types())
        sinks = self.config.sinks
        most = {name: sink.max_pending for name, sink in sinks.items()}
        self.run(self.store.registry.add_sinks({name: sink.type for name, sink in sinks.items()}, most))
        self.run(self.store.registry.add_facts(self.config.asked_facts))

    def accept(self, *bodies: bytes) -> list[str]:
        """Store hooks, and route them. Returns the ids of their receipts."""
        ids = [f"r{next(self._numbers):04}" for _ in bodies]
        self.run(self.store.accept([hook(id, body) for id, body in zip(ids, bodies, strict=True)]))
        self.route()
        return ids

    def accept_leads(self, *ids: int) -> list[str]:
        """Store a hook for each of these new leads, and route it."""
        return self.accept(*[encode_form({"leads": {"add": [{"id": str(id), "name": f"lead {id}"}]}}) for id in ids])

    def route(self) -> None:
        """Route all that is in the inbox, as a worker does."""
        sinks = make_sinks(self.config)
        while items := self.run(self.store.claim_receipts("router", 100, LEASE_MS)).items:
            self.run(self.store.save_routed("router", plan_receipts(items, self.config, sinks)))

    def route_again(self, *receipts: str) -> None:
        """Route receipts once more."""
        keys, client = self.store.keys, self.store.client
        for id in receipts:
            self.run(client.zrem(keys.finished, id))
            self.run(client.zrem(keys.finished_dead, id))
            self.run(client.hincrby(keys.receipt(id), "open", 1))
            self.run(client.zadd(keys.due("inbox"), {id: 1}))
        self.route()

    def deliveries(self, *receipts: str):
        """Return the deliveries of receipts, in order."""
        found = self.run(self.reader.receipts(receipts))
        return [one for receipt in found for one in self.run(self.reader.deliveries(list(receipt.deliveries)))]

    def claim_of(self, sink: str) -> ClaimRequest:
        """Return the request to claim all that is due of a sink."""
        return sink_claim_request(sink, "w", 100, LEASE_MS, 0, [])

    def settle(self, outcome: Outcome, *sinks: str) -> list:
        """Let everything that is due of some sinks come to an outcome. Returns the deliveries, as they were claimed."""
        settled: list = []
        for sink in sinks:
            items = self.run(self.store.claim_deliveries(self.claim_of(sink))).items
            if items:
                self.run(self.store.settle(sink, [settlement(one, outcome) for one in items], {}))
            settled += items
        return settled

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command. Returns its exit status, and what it printed on stdout and stderr."""
        done = CliRunner().invoke(app, arguments)
        expected = done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.output if expected else str(done.exception)

    def states(self, receipts: Sequence[str]) -> list[str]:
        """Return the state of each receipt."""
        return [one.state for one in self.run(self.reader.receipts(receipts))]
