"""`relay demo`: all of it on this machine, with real-shaped hooks, to see what arrives where."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec
import typer
import uuid_utils
from yarl import URL

from relay.cli.context import ANSWER_SECONDS
from relay.cli.demo_check import Seen, Sent, missing_results, place_of, stored_at
from relay.cli.output import print_lines
from relay.cli.picture import Lines, Picture, lines, picture, request_line
from relay.cli.posting import post
from relay.cli.processes import addresses, checked_config, local, until_interrupted
from relay.cli.sources import hook_path
from relay.config.load import Config
from relay.errors import RelayError
from relay.live_config import make_sinks
from relay.planning import plan_receipt
from relay.processes.folder import FOLDER
from relay.processes.supervisor import Processes
from relay.sandbox.arrivals import Arrival, Page
from relay.sandbox.samples import Sample, samples
from relay.store.connect import connect
from relay.store.reader import PAGE, Reader
from relay.transport import Request, Session, TransportFailure

LIMIT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_IDLE_SECONDS: Final = 0.5
_ANSWER_MS: Final = 10_000


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when all is settled; 1 where it is not.")] = False,
) -> None:
    """Run all of it here, send sample hooks, and show what came in and what each sink got. Ends by Ctrl-C."""
    done = False
    with until_interrupted(), Processes(FOLDER, local({})) as processes:
        config = checked_config(processes)
        print_lines([f"starting store, fake vendors, web and worker; their logs: {processes.folder / 'logs'}"])
        processes.start()
        asyncio.run(_run(processes, config, once))
        done = True
    if once and not done:
        raise typer.Exit(130)


async def _run(processes: Processes, config: Config, once: bool) -> None:
    reader = Reader(
        connect(processes.environ["REDIS_URL"], answer_seconds=ANSWER_SECONDS),
        processes.environ.get("RELAY_NAMESPACE", "relay"),
    )
    async with Session() as session:
        show = _Show(processes, config, reader, session, await reader.now())
        try:
            with picture() as drawn:
                await show.send(drawn)
                await show.until_settled(drawn)
            print_lines(show.told())
            if not once:
                print_lines(["", *addresses(processes, config), *_hint(processes, config), "Ctrl-C ends it"])
                await show.follow()
        finally:
            await reader.client.aclose()


def _hint(processes: Processes, config: Config) -> Iterator[str]:
    url = processes.url + hook_path(config, _source(config))
    yield f"try: curl {url} -d 'leads[add][0][id]=1&leads[add][0][status_id]=142&leads[add][0][price]=500'"


def _source(config: Config) -> str:
    return "demo" if "demo" in config.sources else next(iter(config.sources))


class _Show:
    """One run: what was sent, and what is there."""

    def __init__(self, processes: Processes, config: Config, reader: Reader, session: Session, began: int) -> None:
        self._processes = processes
        self._config = config
        self._sinks = make_sinks(config)
        self._reader = reader
        self._session = session
        self._began = began
        self._sent: list[Sent] = []
        self._titles: dict[str, str] = {}
        self._arrivals: list[Arrival] = []
        self._since = 0
        self._seen = Seen(receipts={}, deliveries={}, arrivals=())

    async def send(self, drawn: Picture) -> None:
        """Send the samples."""
        url = self._processes.url + hook_path(self._config, _source(self._config))
        for sample in samples(self._began):
            self._sent.append(await self._send(url, sample))
            await self._look(drawn)

    async def _send(self, url: str, sample: Sample) -> Sent:
        headers = {"User-Agent": "amoCRM-Webhooks/3.0", "X-Amocrm-Requestid": str(uuid_utils.uuid4())}
        posted = await post(url, sample.body, headers)
        self._titles.setdefault(posted.receipt, sample.title)
        receipt = None if sample.again else await self._reader.raw_receipt(posted.receipt)
        planned = plan_receipt(receipt, self._config, self._sinks) if receipt else None
        return Sent(title=sample.title, posted=posted, planned=planned)

    async def until_settled(self, drawn: Picture) -> None:
        """Look until everything is as it must be. Raises RelayError with what is not, after a time."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while missing := self._lacking():
            if time.monotonic() > deadline:
                raise RelayError("\n".join([f"not settled after {LIMIT_SECONDS:.0f} s:", *missing]))
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look(drawn)

    def _lacking(self) -> Sequence[str]:
        return missing_results(self._sent, self._seen, self._config.sinks, self._processes.sandbox_url)

    async def follow(self) -> None:
        """Tell whatever else comes, until interrupted."""
        drawn = Lines(lines(self._seen, self._titles))
        while True:
            await self._look(drawn)
            await asyncio.sleep(_IDLE_SECONDS)

    async def _look(self, drawn: Picture) -> None:
        self._processes.check()
        ids = [id async for id in self._reader.receipt_ids(since=self._began)][:PAGE]
        receipts = await self._reader.receipts(ids)
        deliveries = await self._reader.deliveries([id for receipt in receipts for id in receipt.deliveries])
        await self._read_arrivals()
        self._seen = Seen(
            receipts={receipt.id: receipt for receipt in receipts},
            deliveries={delivery.id: delivery for delivery in deliveries},
            arrivals=self._arrivals,
        )
        drawn.update(self._seen, self._titles)

    async def _read_arrivals(self) -> None:
        url = URL(f"{self._processes.sandbox_url}/__sandbox__/requests?limit=100&since={self._since}")
        request = Request(method="GET", url=url, headers={}, body=b"", timeout_ms=_ANSWER_MS)
        answer = await self._session.exchange(request)
        if isinstance(answer, TransportFailure):
            raise RelayError(f"the sandbox gives no answer: {answer.reason}")
        page = msgspec.json.decode(answer.body, type=Page)
        self._arrivals += page.requests
        self._since = page.next

    def told(self) -> Iterator[str]:
        """Tell what each sink got."""
        yield ""
        yield f"{len(self._sent)} hooks, all settled. What each sink got:"
        for name, sink in self._sinks.items():
            made = [delivery for delivery in self._seen.deliveries.values() if delivery.sink == name]
            states = sorted(Counter(delivery.state for delivery in made).items())
            yield f"  {name} ({sink.type}): {', '.join(f'{n} {state}' for state, n in states) or 'nothing'}"
            for delivery in made:
                title = self._titles.get(delivery.event_id.partition(".")[0], "a hook from outside")
                yield f"    {title} → {delivery.route}: {delivery.state} {delivery.reason}".rstrip()
            place = place_of(self._config.sinks[name], self._processes.sandbox_url)
            for arrival in stored_at(place, self._arrivals) if place else ():
                yield f"    they got {request_line(arrival)}"
