"""Which receipts are planned on the loop: few and small ones, by a configuration that has shown to be quick."""

import gzip
from types import SimpleNamespace

import pytest

from relay.facts.kinds import OWN_SOURCE
from relay.model import Receipt
from workers.planning_on_loop import MOST_BYTES, MOST_RECEIPTS, QUICK_RECEIPTS, SLOW_SECONDS, OnLoop

CONFIG = SimpleNamespace(ingress=SimpleNamespace(max_body=1 << 20))
QUICK, SLOW = SLOW_SECONDS / 2, SLOW_SECONDS * 2
SMALL = b"leads[add][0][id]=1"


def receipt(body=SMALL, source="acme", **more):
    return Receipt(id="r", source=source, received_at=0, body=body, **more)


def trusted(*, version="v1") -> OnLoop:
    on_loop = OnLoop()
    on_loop.note(QUICK_RECEIPTS, QUICK * QUICK_RECEIPTS, version)
    return on_loop


@pytest.mark.parametrize(
    ("receipts", "may"),
    [
        ([receipt()], True),
        ([receipt()] * MOST_RECEIPTS, True),
        ([receipt()] * (MOST_RECEIPTS + 1), False),
        ([receipt(b"x" * MOST_BYTES)], True),
        ([receipt(b"x" * MOST_BYTES), receipt()], False),
        ([receipt(gzip.compress(SMALL), content_encoding="gzip")], False),  # nobody knows how large it will be
        ([receipt(b"{}", source=OWN_SOURCE, original=receipt(SMALL * 20))], True),
        ([receipt(b"{}", source=OWN_SOURCE, original=receipt(SMALL * 9000))], False),  # a chain's large hook
        ([receipt(b"{}", original=receipt(b"{}", original=receipt(SMALL * 9000)))], False),
        ([receipt(b"{}", source=OWN_SOURCE, original=receipt(gzip.compress(SMALL), content_encoding="gzip"))], False),
        ([receipt(), receipt(deaths=1)], False),
    ],
)
def test_few_and_small_ones_are(receipts, may):
    assert trusted().may_plan(receipts, CONFIG, "v1") is may


def test_a_configuration_is_trusted_once_so_many_were_quick_one_after_another():
    on_loop = OnLoop()
    for _ in range(QUICK_RECEIPTS):
        assert not on_loop.may_plan([receipt()], CONFIG, "v1")
        on_loop.note(1, QUICK, "v1")
    assert on_loop.may_plan([receipt()], CONFIG, "v1")


@pytest.mark.parametrize("then", [(1, SLOW, "v1"), (1, QUICK, "v2")], ids=["slow", "another"])
def test_after_a_slow_one_or_by_another_configuration_it_begins_anew(then):
    on_loop = trusted()
    on_loop.note(*then)
    assert not on_loop.may_plan([receipt()], CONFIG, "v1")
    assert not on_loop.may_plan([receipt()], CONFIG, then[2])
