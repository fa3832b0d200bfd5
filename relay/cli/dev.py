"""`relay dev`: a whole relay on this machine, its logs in the terminal."""

import time
from typing import Final

from relay.cli.context.configuration import load_config_of
from relay.cli.context.environment import nonempty_environ
from relay.cli.display.addresses import format_addresses, format_real_addresses
from relay.cli.display.output import console, print_lines
from relay.config.environment import ProcessSettings
from relay.config.load import read_main_file
from relay.operations.real_addresses import real_addresses
from relay.printable import escape_lines
from relay.processes.folder import FOLDER
from relay.processes.interrupt import until_interrupted
from relay.processes.supervisor import Processes

_CHECK_SECONDS: Final = 0.3
_COLORS: Final = {"web": "cyan", "worker": "green", "sandbox": "magenta"}


def dev() -> None:
    """Run everything on this machine: web, a worker, fake vendors, and a store unless REDIS_URL is set."""
    variables = {"RELAY_LOG": "console", **nonempty_environ()}
    read_main_file(ProcessSettings.from_environ(variables).config_path)  # without it, no folder is made
    with until_interrupted(), Processes(FOLDER, variables, _print_log_line) as processes:
        config = load_config_of(processes.environ)
        print_lines([format_real_addresses(real_addresses(config, processes.fakes), variables.get("REDIS_URL"))])
        processes.start()
        print_lines(format_addresses(processes, config), reveal=True)
        while True:
            processes.check()
            time.sleep(_CHECK_SECONDS)


def _print_log_line(process: str, line: str) -> None:
    terminal = console()
    terminal.print(f"{process:<8}│ ", style=_COLORS.get(process), end="")
    terminal.print(escape_lines(line), markup=False, soft_wrap=True)
