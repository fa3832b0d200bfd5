"""Find what cases have of an account: the pipelines, statuses, users and custom fields in their hooks."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from relay.amocrm.custom_fields import CustomFields
from relay.amocrm.events import decode_receipt
from relay.amocrm.views import main_view
from relay.cases.case import Case
from relay.cases.load import CaseLoader, case_files
from relay.config.account_uses import AccountUse, UseKind, format_place
from relay.config.config import Config
from relay.config.environment import environ
from relay.errors import ConfigError, Malformed
from relay.logs import log
from relay.model import Event
from relay.sinks.registry import sink_types

_IDS: Final[Mapping[str, UseKind]] = {
    "pipeline_id": "pipeline", "status_id": "status", "old_status_id": "status", "responsible_user_id": "user",
}  # fmt: skip
_WITH_FIELDS: Final = ("lead", "contact", "company")


def find_case_uses(config: Config, config_path: str, environ: Mapping[str, str]) -> tuple[list[AccountUse], list[str]]:
    """Return what the cases of a configuration have of accounts, and why files of cases are left out."""
    loader = CaseLoader(config_path, environ, sink_types(), config)
    uses: dict[AccountUse, None] = {}
    left_out: list[str] = []
    for file in case_files(config_path):
        try:
            cases = loader.load([file])
        except ConfigError as error:  # `relay test` tells all of it; routes are compared all the same
            left_out.append(str(error).partition("\n")[0])
            continue
        uses.update(dict.fromkeys(use for case in cases if case.config is config for use in _of_case(case)))
    return list(uses), left_out


async def read_case_uses(config: Config, config_path: str) -> list[AccountUse]:
    """Return what the cases have of accounts, for a process: its log tells of those that are left out."""
    uses, left_out = await asyncio.to_thread(find_case_uses, config, config_path, environ())
    for reason in left_out:
        log.warning("account.cases_left_out", reason=reason)
    return uses


def _of_case(case: Case) -> Iterator[AccountUse]:
    try:
        _, events = decode_receipt(case.receipt)
    except Malformed:  # a case may be about just that
        return
    for event in events:
        view = main_view(event.name)
        for kind, written, entity in (*_ids(view, event), *_fields(view, event)):
            yield AccountUse(
                kind=kind, source=case.receipt.source, written=written, by=f"case {case.name}",
                place=format_place(case.position, case.file), role="case", entity=entity,
            )  # fmt: skip


def _ids(view: str, event: Event) -> Iterator[tuple[UseKind, str, str]]:
    for field, kind in _IDS.items():
        value = event.data.get(field)
        if isinstance(value, str) and value.isdigit() and (kind == "user" or view == "lead"):
            yield kind, value, ""


def _fields(view: str, event: Event) -> Iterator[tuple[UseKind, str, str]]:
    if view in _WITH_FIELDS:
        yield from (("field", name, view) for name in CustomFields(event.data))
