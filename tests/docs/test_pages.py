"""Every command that README.md and the pages of docs/ show prints what they show. The package's docstring says how."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.comparing import match_output, replace_ids
from tests.docs.pages import Command, File, Step, Wait, read_page
from tests.docs.shell import ROOT, Dev, Shell, command_server, page_environ

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STEPS = {page: read_page(page.read_text()) for page in PAGES}
RUN = [page for page, steps in STEPS.items() if any(isinstance(step, Command) for step in steps)]
WAIT_SECONDS = 30.0
SHOWN_PORTS = {"PORT": "8000", "RELAY_SANDBOX_URL": "8701"}


class PageRun:
    """A page that is run: which real ids and ports stand behind those that it shows."""

    def __init__(self, page: Path, folder: Path, shell: Shell, addresses: Mapping[str, str]) -> None:
        self._page = page.name
        self._folder = folder
        self._shell = shell
        self._ids: dict[str, str] = {}
        self._ports = {port: addresses[name].rpartition(":")[2] for name, port in SHOWN_PORTS.items()}

    def take(self, step: Step) -> None:
        """Do what the page says next."""
        match step:
            case File():
                write_file(self._folder, step)
            case Wait():
                self._wait(step)
            case Command(expected=None):
                status, printed = self._run(step.text)
                assert status == 0, f"{self._page}:{step.line}: {step.text} ended with {status}: {printed}"
            case Command():
                self._compare(step, self._run(step.text)[1])

    def _compare(self, step: Command, printed: str) -> None:
        try:
            self._ids = match_output(step.expected or "", printed, self._ids)
        except AssertionError as error:
            raise AssertionError(f"{self._page}:{step.line}: {step.text}\n{error}\n\nall of it:\n{printed}") from None

    def _run(self, command: str) -> tuple[int, str]:
        command = replace_ids(command, self._ids)
        for port, real in self._ports.items():
            command = command.replace(f":{port}", f":{real}")
        status, printed = self._shell.run(command)
        for port, real in self._ports.items():
            printed = printed.replace(f":{real}", f":{port}")
        return status, printed

    def _wait(self, step: Wait) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := self._run(step.text))[0] != 0:
            assert time.monotonic() < deadline, f"{self._page}:{step.line}: {step.text} does not succeed: {found[1]}"


def write_file(folder: Path, file: File) -> None:
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.content)


def first_command(steps: list[Step]) -> int:
    return next(place for place, step in enumerate(steps) if not isinstance(step, File))


@pytest.fixture(scope="module")
def commands() -> Iterator[str]:
    """Return the address of the server of commands."""
    # Short: a socket's path has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="amo-") as folder, command_server(Path(folder)) as address:
        yield address


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, tmp_path: Path, commands: str) -> None:
    steps = STEPS[page]
    start = first_command(steps)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    for file in steps[:start]:
        assert isinstance(file, File)
        write_file(tmp_path, file)
    variables = page_environ(tmp_path, commands)
    with Dev(tmp_path, variables) as dev, Shell(tmp_path, variables) as shell:
        run = PageRun(page, tmp_path, shell, dev.addresses)
        for step in steps[start:]:
            run.take(step)
