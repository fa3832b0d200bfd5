"""The fake vendors, by the first part of their path. A name that is not here gets the generic vendor."""

from collections.abc import Mapping

from relay.sandbox.vendors.accounting import Accounting
from relay.sandbox.vendors.base import Vendor
from relay.sandbox.vendors.generic import Generic
from relay.sandbox.vendors.moysklad import MoySklad
from relay.sandbox.vendors.smsc import Smsc
from relay.sandbox.vendors.smsru import Smsru
from relay.sandbox.vendors.unisender import Unisender

VENDORS: Mapping[str, type[Vendor]] = {
    "books": Accounting,
    "moysklad": MoySklad,
    "smsc": Smsc,
    "smsru": Smsru,
    "unisender": Unisender,
}


def make_vendor(name: str) -> Vendor:
    """Return a new vendor of that name."""
    return VENDORS.get(name, Generic)(name)
