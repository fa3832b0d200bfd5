"""`relay demo`: a whole relay on this machine, with sample hooks, to see what arrives where."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from relay.cli.context.configuration import load_config_of
from relay.cli.context.environment import nonempty_environ
from relay.cli.context.store import ANSWER_SECONDS
from relay.cli.display.addresses import format_addresses
from relay.cli.display.demo import LineView, choose_view, format_state, format_summary
from relay.cli.display.output import print_lines
from relay.config.config import Config
from relay.demo.environment import demo_environ
from relay.demo.run import DemoRun
from relay.processes.folder import DEMO_FOLDER
from relay.processes.interrupt import until_interrupted
from relay.processes.supervisor import Processes
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.transport import Session

INTERRUPTED = 130


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when every sample is settled; with status 1 where one is not.")
    ] = False,
) -> None:
    """Run a relay with fake vendors and a store of its own, and show what sample hooks become. Ctrl-C ends it."""
    settled = False
    with until_interrupted(), Processes(DEMO_FOLDER, demo_environ(nonempty_environ())) as processes:
        config = load_config_of(processes.environ)
        print_lines([f"the operator's pages, as soon as it has started: {processes.url}/admin"])
        print_lines([f"starting store, fake vendors, web and worker; their logs: {processes.folder / 'logs'}"])
        processes.start()
        asyncio.run(_run(processes, config, once))
        settled = True
    if once and not settled:
        raise typer.Exit(INTERRUPTED)


async def _run(processes: Processes, config: Config, once: bool) -> None:
    client = connect(processes.environ["REDIS_URL"], answer_seconds=ANSWER_SECONDS)
    reader = Reader(client, processes.environ.get("RELAY_NAMESPACE", "relay"))
    try:
        async with Session() as session:
            run = DemoRun(processes, config, reader, session, await reader.now())
            with choose_view() as view:
                await run.send_samples(view)
                await run.wait_until_settled(view)
            print_lines(format_summary(run, config, processes.sandbox_url))
            if not once:
                print_lines(_format_hints(run, processes, config), reveal=True)  # a token that everybody can read
                await run.follow(LineView(printed=format_state(run.state, run.titles)))
    finally:
        await client.aclose()


def _format_hints(run: DemoRun, processes: Processes, config: Config) -> Iterator[str]:
    yield ""
    yield from format_addresses(processes, config)
    yield f"try: curl {run.hook_url} -d 'leads[add][0][id]=1&leads[add][0][status_id]=142&leads[add][0][price]=500'"
    yield "Ctrl-C ends it"
