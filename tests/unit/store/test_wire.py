"""The order of a row's values is written in Python, and the scripts have the same."""

from importlib import import_module
from pkgutil import iter_modules

import msgspec
import pytest

from relay.model import Breaker, Limit, Record, RoutedEvent
from relay.store import packing, wire
from relay.store.quotas import Quota
from relay.store.records import LateAnswer
from relay.store.wire import acts, claims, hooks, lending, lists, looks, rewriting, routing, settling
from tests.unit.store.lua_source import members, parameters, places, tables, unpacked

UNPACKED = [
    ("accept", "hook", hooks.HookRow),
    ("accept", "late", LateAnswer),
    ("_routing", "delivery", routing.DeliveryRow),
    ("_routing", "event", RoutedEvent),
    ("complete_lookups", "item", settling.LookupRow),
    ("make_put_off", "item", routing.PutOffRow),
    ("cancel_put_off", "item", routing.PutOffRow),
    ("mark_sending", "item", claims.LeaseRow),
    ("_claiming", "lease", claims.LeaseRow),
    ("_settling", "lease", claims.LeaseRow),
    ("erase_people", "delivery", rewriting.ErasedDelivery),
    ("save_action_progress", "item", acts.ActionItemRow),
    ("spend_quotas", "quota", Quota),
    ("_limits", "limit", Limit),
    ("_lending", "row", lending.ReportRow),
    ("return_lent", "trial", lending.LentTrial),
    ("return_lent", "begun", lending.BegunTrial),
    ("_walking", "cursor", lists.Cursor),
    ("_packed", "index_row", packing.PackedIndex),
    ("_packed", "row", packing.PackedDelivery),
    ("pack_receipts", "row", rewriting.PackRow),
    ("unpack_receipt", "delivery", rewriting.UnpackedDelivery),
]
CLAIMED = [("r", claims.ClaimedReceipt), ("d", claims.ClaimedDelivery), ("j", claims.ClaimedJob)]
MAPS = [
    ("_routing", "receipt", routing.RoutedRow),
    ("_settling", "request", settling.SettleRequest),
    ("_claiming", "request", claims.ClaimRequest),
    ("find", "req", lists.FindRequest),
    ("return_lent", "req", lending.ReturnRequest),
]
REPLIES = [
    ("_claiming", "claim_reply", claims.ClaimReply),
    ("save_routed", "routed_reply", routing.RoutedReply),
    ("accept", "handed_over", hooks.HandedOver),
    ("find", "find_reply", lists.FindReply),
    ("_lending", "lend_reply", lending.LendReply),
    ("look", "look_reply", looks.LookReply),
    ("act_on_delivery", "act_answer", acts.ActAnswer),
    ("save_replayed", "replay_answer", acts.ReplayAnswer),
]


@pytest.mark.parametrize(("script", "row", "kind"), UNPACKED)
def test_a_script_names_the_values_of_a_row_as_python_does(script, row, kind):
    found = unpacked(script, row)
    for names in found:
        expected = kind.__struct_fields__[: len(names)]
        assert [name if name != "_" else field for name, field in zip(names, expected, strict=True)] == list(expected)
    assert {name for names in found for name in names} - {"_"} == set(kind.__struct_fields__)


def test_a_settlement_s_values_are_where_the_script_takes_them_from():
    names = [name.lower() for name in places("_settling")]
    assert names == list(settling.SettlementRow.__struct_fields__)
    assert list(places("_settling").values()) == list(range(1, len(names) + 1))


def test_the_first_value_of_what_was_routed_is_its_index_or_id():
    found = places("_routing")
    assert RoutedEvent.__struct_fields__[found["INDEX"] - 1] == "index"
    assert routing.DeliveryRow.__struct_fields__[found["ID"] - 1] == "id"


@pytest.mark.parametrize(("kind", "row"), CLAIMED)
def test_a_claim_returns_the_fields_that_python_reads(kind, row):
    assert tables("_claiming", "FIELDS")[kind] == list(row.__struct_encode_fields__)


def test_a_claim_finds_in_its_fields_what_it_looks_at():
    found = places("_claiming")
    assert all(row.__struct_fields__[found["DEATHS"] - 1] == "deaths" for _, row in CLAIMED)
    assert claims.ClaimedDelivery.__struct_fields__[found["ROUTE"] - 1] == "route"
    assert claims.ClaimedDelivery.__struct_fields__[found["CONTENT"] - 1] == "content_id"
    assert claims.ClaimedDelivery.__struct_fields__[found["BLOCKED"] - 1] == "at_fault"
    assert claims.ClaimedDelivery.__struct_fields__[found["IS_TRIAL"] - 1] == "trial"
    assert claims.ClaimedDelivery.__struct_fields__[found["KEYED"] - 1] == "keyed"
    assert claims.ClaimedReceipt.__struct_fields__[found["SIZE"] - 1] == "size"
    assert claims.ClaimedDelivery.__struct_fields__[found["SIZE"] - 1] == "size"


@pytest.mark.parametrize(("script", "function", "reply"), REPLIES)
def test_a_script_answers_in_the_order_that_python_reads(script, function, reply):
    assert parameters(script, function) == list(reply.__struct_fields__)


@pytest.mark.parametrize(("script", "variable", "request_type"), MAPS)
def test_a_script_reads_every_name_of_a_request_and_no_other(script, variable, request_type):
    assert members(script, variable) == set(request_type.__struct_fields__)


def test_the_scripts_of_a_shard_read_all_that_its_sink_s_home_has_granted():
    read = members("_granted", "granted") | members("_claiming", "granted")
    assert read == set(lending.Granted.__struct_fields__)


def test_the_values_of_a_breaker_are_where_the_script_takes_them_from():
    found = places("_breaker")
    assert [found[name.upper()] for name in Breaker.__struct_fields__] == [1, 2, 3]


def test_no_row_is_left_out_here():
    checked = {kind for _, _, kind in UNPACKED} | {row for _, row in CLAIMED} | {settling.SettlementRow, Breaker}
    checked |= {reply for _, _, reply in REPLIES}
    rows = {
        kind for module in iter_modules(wire.__path__, f"{wire.__name__}.")
        for kind in vars(import_module(module.name)).values()
        if isinstance(kind, type) and issubclass(kind, Record) and kind.__struct_config__.array_like
    }  # fmt: skip
    assert rows <= checked


def test_a_number_that_was_never_written_is_read_as_none_was():
    """The script answers 0 in its place; all else is text as it stands in the hash."""
    values = ["0", "r1.0", "acme", "invoices", "5", "6", "0", "0", "c", "0", "books", "0", "0", "0", "0", "0", "0"]
    reply = msgspec.msgpack.encode([0, [], ["d1"], [values], False, 1, 0, False])
    decoded = msgspec.msgpack.decode(reply, type=claims.ClaimReply[claims.ClaimedDelivery], strict=False)
    (row,) = decoded.rows
    assert (row.deaths, row.accepted_at, row.sent_at, row.sends, row.at_fault) == (0, 5, 0, 0, False)
