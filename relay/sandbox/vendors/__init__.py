"""The fake vendors, by the first part of their path. A name that is not here gets the generic vendor."""

from collections.abc import Mapping

from relay.sandbox.vendors.accounting import FakeAccounting
from relay.sandbox.vendors.apprise import FakeNotified
from relay.sandbox.vendors.base import Vendor
from relay.sandbox.vendors.generic import GenericVendor
from relay.sandbox.vendors.moysklad import FakeMoySklad
from relay.sandbox.vendors.smsc import FakeSmsc
from relay.sandbox.vendors.smsru import FakeSmsru
from relay.sandbox.vendors.smtp import FakeMailServer
from relay.sandbox.vendors.telegram import FakeTelegram
from relay.sandbox.vendors.textsms import FakeTextGateway
from relay.sandbox.vendors.unisender import FakeUnisender

VENDORS: Mapping[str, type[Vendor]] = {
    "apprise": FakeNotified,
    "books": FakeAccounting,
    "moysklad": FakeMoySklad,
    "smsc": FakeSmsc,
    "smsru": FakeSmsru,
    "smtp": FakeMailServer,
    "telegram": FakeTelegram,
    "textsms": FakeTextGateway,
    "unisender": FakeUnisender,
}


def make_vendor(name: str) -> Vendor:
    """Return a new vendor of that name."""
    return VENDORS.get(name, GenericVendor)(name)
