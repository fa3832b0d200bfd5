"""The fake vendors, by the first part of their path. One that has no file of its own is the generic one."""

from collections.abc import Mapping

from relay.sandbox.vendors.base import Vendor
from relay.sandbox.vendors.generic import Generic
from relay.sandbox.vendors.unisender import Unisender

VENDORS: Mapping[str, type[Vendor]] = {"unisender": Unisender}


def make(name: str) -> Vendor:
    """Make the vendor of that name."""
    return VENDORS.get(name, Generic)(name)
