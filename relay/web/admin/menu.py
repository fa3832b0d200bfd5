"""The pages, in the order of the menu, each with the key that leads to it after `g`."""

from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.translation.messages import UiText, message


class MenuEntry(Record):
    """A page of the menu."""

    path: str
    label: UiText
    key: str
    also: str = "-"  # how the addresses begin that belong to it besides


MENU: Final[Sequence[MenuEntry]] = (
    MenuEntry(path="/admin/problems", label=message("Problems"), key="p"),
    MenuEntry(path="/admin/events", label=message("Events"), key="e", also="/admin/deliveries"),
    MenuEntry(path="/admin/sinks", label=message("Sinks"), key="s"),
    MenuEntry(path="/admin/actions", label=message("Actions"), key="a"),
    MenuEntry(path="/admin/routes", label=message("Routes"), key="r"),
    MenuEntry(path="/admin/sources", label=message("Sources"), key="o"),
    MenuEntry(path="/admin/subscriptions", label=message("Subscriptions"), key="b"),
    MenuEntry(path="/admin/people", label=message("People"), key="h"),
    MenuEntry(path="/admin/system", label=message("System"), key="y"),
    MenuEntry(path="/admin/audit", label=message("Audit"), key="u"),
)
