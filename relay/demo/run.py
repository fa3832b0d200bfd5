"""Run the demo: send the sample hooks to a relay on this machine, and follow what becomes of them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec
import uuid_utils
from yarl import URL

from relay.config.config import Config
from relay.demo.check import DemoState, SentHook, missing_results
from relay.errors import RelayError
from relay.operations.hook_address import hook_path
from relay.operations.people_events import add_names_of
from relay.operations.post_hook import post_hook
from relay.operations.search import PAGE
from relay.planning import plan_receipt
from relay.processes.supervisor import Processes
from relay.sandbox.request_log import LoggedRequest, Page
from relay.sandbox.samples import Sample, samples
from relay.sinks.registry import make_sinks
from relay.store.reader import Reader
from relay.transport import Request, Response, Session, TransportFailure

LIMIT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_IDLE_POLL_SECONDS: Final = 0.5
_ANSWER_MS: Final = 10_000


class DemoView(Protocol):
    """Shows what there is."""

    def update(self, state: DemoState, titles: Mapping[str, str]) -> None:
        """Show it. `titles` are what the receipts of samples are about, by id."""


class DemoRun:
    """One run: what was sent, and what there is now. `began` is the store's time, in epoch milliseconds."""

    def __init__(self, processes: Processes, config: Config, reader: Reader, session: Session, began: int) -> None:
        self.sent: list[SentHook] = []
        self.titles: dict[str, str] = {}
        self.state = DemoState(receipts={}, deliveries={}, vendor_requests=())
        self.source = "demo" if "demo" in config.sources else next(iter(config.sources))
        self.sinks = make_sinks(config)
        self._processes = processes
        self._config = config
        self._reader = reader
        self._session = session
        self._began = began
        self._vendor_requests: list[LoggedRequest] = []
        self._last_request = 0
        self._named: set[str] = set()  # receipts of which the people are known

    @property
    def hook_url(self) -> str:
        """The address that the samples are posted to."""
        return self._processes.url + hook_path(self._config, self.source)

    async def send_samples(self, view: DemoView) -> None:
        """Send the samples. Raises RelayError where one is not taken, or does not settle."""
        for sample in samples(self._began):
            if sample.refused:  # once nothing else can be meant by the refusal
                await self.wait_until_settled(view)
                await self._refuse_next_invoice()
            self.sent.append(await self._send(sample))
            await self._refresh(view)

    async def _refuse_next_invoice(self) -> None:
        """Have the fake accounting refuse a request, so that there is something to mend."""
        fault = {"fault": "status", "status": 422, "vendor": "books", "path": "/invoices"}
        await self._call_sandbox("POST", "faults", msgspec.json.encode(fault))

    async def _send(self, sample: Sample) -> SentHook:
        headers = {"User-Agent": "amoCRM-Webhooks/3.0", "X-Amocrm-Requestid": str(uuid_utils.uuid4())}
        accepted = await post_hook(self.hook_url, sample.body, headers)
        self.titles.setdefault(accepted.receipt, sample.title)
        receipt = None if sample.repeated else await self._reader.raw_receipt(accepted.receipt)
        planned = plan_receipt(receipt, self._config, self.sinks) if receipt else None
        return SentHook(title=sample.title, accepted=accepted, planned=planned, refused=sample.refused)

    async def wait_until_settled(self, view: DemoView) -> None:
        """Poll until everything is as it must be. Raises RelayError with what is not, after LIMIT_SECONDS."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise RelayError("\n".join([f"not settled after {LIMIT_SECONDS:.0f} s:", *missing]))
            await asyncio.sleep(_POLL_SECONDS)
            await self._refresh(view)

    def _missing(self) -> Sequence[str]:
        return missing_results(self.sent, self.state, self._config.sinks, self._processes.sandbox_url)

    async def follow(self, view: DemoView) -> None:
        """Show whatever else comes, for ever."""
        while True:
            await self._refresh(view)
            await asyncio.sleep(_IDLE_POLL_SECONDS)

    async def _refresh(self, view: DemoView) -> None:
        """Read the store and the vendors' log, and show them. Raises RelayError where a process has ended."""
        self._processes.check()
        ids = await self._reader.newest_receipts(PAGE, since=self._began)
        receipts = await self._reader.receipts(ids)
        await self._read_names(ids)
        deliveries = await self._reader.deliveries([id for receipt in receipts for id in receipt.deliveries])
        await self._read_vendor_requests()
        self.state = DemoState(
            receipts={receipt.id: receipt for receipt in receipts},
            deliveries={delivery.id: delivery for delivery in deliveries},
            vendor_requests=self._vendor_requests,
        )
        view.update(self.state, self.titles)

    async def _read_names(self, ids: Sequence[str]) -> None:
        """Have the people masked of whom new hooks speak: what vendors received names them, too."""
        for id in [id for id in ids if id not in self._named]:
            self._named.add(id)
            if receipt := await self._reader.raw_receipt(id):
                add_names_of(receipt)

    async def _read_vendor_requests(self) -> None:
        answer = await self._call_sandbox("GET", f"requests?limit=100&since={self._last_request}")
        page = msgspec.json.decode(answer.body, type=Page)
        self._vendor_requests += page.requests
        self._last_request = page.next

    async def _call_sandbox(self, method: str, what: str, body: bytes = b"") -> Response:
        url = URL(f"{self._processes.sandbox_url}/__sandbox__/{what}")
        request = Request(method=method, url=url, headers={}, body=body, timeout_ms=_ANSWER_MS)
        answer = await self._session.exchange(request)
        if isinstance(answer, TransportFailure):
            raise RelayError(f"the sandbox gives no answer: {answer.reason}")
        return answer
