"""The commands of README.md and docs/*.md are run, and what the pages show is compared with what they print.

How a page is written:

- A block ```sh is run. Lines that begin with `$ ` are commands; what follows each is what it prints. A block without
  any is a script, which must succeed.
- All blocks of a page share a shell and a folder, in which `relay dev` runs with the `config/relay.yaml` that the page
  writes before its first command, or else with that of the project.
- A command of the relay runs in a fork of one process that has imported all commands (`command_server.py`).
- `…` on a line of its own stands for any number of lines, within a line for anything. Ids, times, durations and ports
  may differ. An id that a page shows stands for the real one from then on, so later commands may name it.
- `<!-- file: NAME -->` before a block writes it to a file. `<!-- file: NAME` with lines up to `-->` writes one that the
  reader does not see.
- `<!-- run: COMMAND -->` runs a command that the reader does not see, and that must succeed; `<!-- wait for: COMMAND
  -->` runs it until it does.
- `<!-- not run: REASON -->` before a block leaves it out; `<!-- not run on this page: REASON -->` leaves out all.
"""
