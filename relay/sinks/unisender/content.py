"""The content for a mailing list: a contact, and whether it joins, is excluded or unsubscribes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from relay.errors import RejectDelivery, SkipDelivery
from relay.masking import mask_people
from relay.model import Record
from relay.sinks.unisender.settings import MAX_TAGS, check_tag

Action: TypeAlias = Literal["subscribe", "exclude", "unsubscribe"]

MAX_FIELDS = 50
EVERY_LIST = "all"
_ACTIONS: tuple[Action, ...] = ("subscribe", "exclude", "unsubscribe")

_EMAIL = re.compile(r"[^\s@,;<>()\"']+@[^\s@,;<>()\"']+\.[^\s@,;<>()\"'.]{2,}")
_PHONE = re.compile(r"\+?\d{7,15}")
_BETWEEN_DIGITS = re.compile(r"[\s().-]")


class Contact(Record, omit_defaults=True):
    """The stored content. Lists and tags that the route does not give are the sink's at the time of sending."""

    action: Action = "subscribe"
    email: str = ""
    phone: str = ""
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    list_ids: tuple[int, ...] | None = None  # (): all lists, to exclude or unsubscribe
    tags: tuple[str, ...] | None = None

    @property
    def address(self) -> tuple[str, str]:
        """Return the kind of its address, email or phone, and the address."""
        return ("email", self.email) if self.email else ("phone", self.phone)

    def masked(self, text: str) -> str:
        """Hide the contact in what they say of it."""
        return mask_people(text, (self.email, self.phone))


def make_contact(params: Mapping[str, object]) -> Contact:
    """Make the contact from a route's rendered keys. Raise RejectDelivery, SkipDelivery where there is no address."""
    action = _action(params.get("action"))
    fields = dict(_fields(params.get("fields")))
    email, phone = _email(fields.pop("email", "")), _phone(fields.pop("phone", ""))
    if not email and not phone:
        raise SkipDelivery("fields: there is neither email nor phone")
    return Contact(
        action=action,
        email=email,
        phone=phone,
        fields=fields,
        list_ids=_list_ids(params["list_ids"], action) if "list_ids" in params else None,
        tags=_tags(params["tags"]) if "tags" in params else None,
    )


def _action(value: object) -> Action:
    if value is None:
        return "subscribe"
    for action in _ACTIONS:
        if value == action:
            return action
    raise RejectDelivery(f"action: {value!r:.60} is not one of {', '.join(_ACTIONS)}")


def _fields(value: object) -> Iterable[tuple[str, str]]:
    if not isinstance(value, Mapping):
        raise RejectDelivery(f"fields: takes a mapping of names to values, not {value!r:.60}")
    if len(value) > MAX_FIELDS:
        raise RejectDelivery(f"fields: {len(value)} of them, and they take at most {MAX_FIELDS}")
    for name, text in value.items():
        if isinstance(text, (Mapping, list, tuple)):
            raise RejectDelivery(f"fields.{name}: takes a text or a number, join several by a filter")
        if re.search(r"[\[\]\x00-\x1f]", name):
            raise RejectDelivery(f"fields: {name!r} cannot be the name of a field")
        if text is not None:
            yield name, {True: "1", False: "0"}[text] if isinstance(text, bool) else str(text).strip()


def _email(text: str) -> str:
    if text and not _EMAIL.fullmatch(text):
        raise RejectDelivery("fields.email: it is no e-mail address")
    return text


def _phone(text: str) -> str:
    digits = _BETWEEN_DIGITS.sub("", text)
    if digits and not _PHONE.fullmatch(digits):
        raise RejectDelivery("fields.phone: it is no phone number")
    return digits


def _list_ids(value: object, action: Action) -> tuple[int, ...]:
    if value == EVERY_LIST:
        if action == "subscribe":
            raise RejectDelivery("list_ids: nobody subscribes to all lists, name them")
        return ()
    ids = [str(id).strip() for id in _several(value)]
    if not ids or not all(id.isascii() and id.isdigit() and int(id) for id in ids):
        raise RejectDelivery(f"list_ids: {value!r:.60} are no ids of lists: give their numbers, such as [20547]")
    return tuple(dict.fromkeys(map(int, ids)))


def _tags(value: object) -> tuple[str, ...]:
    try:
        tags = tuple(dict.fromkeys(check_tag(str(tag)) for tag in _several(value) if str(tag).strip()))
    except ValueError as error:
        raise RejectDelivery(f"tags: {error}") from None
    if len(tags) > MAX_TAGS:
        raise RejectDelivery(f"tags: {len(tags)} of them, and they take at most {MAX_TAGS}")
    return tags


def _several(value: object) -> Sequence[object]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return value
    return value.split(",") if isinstance(value, str) else (value,)
