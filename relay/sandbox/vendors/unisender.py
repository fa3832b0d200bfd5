"""UniSender: errors inside 200, 300 subscriptions a minute, and an error where query and body are mixed.

It has the lists of `LISTS`, the last one without a confirmation letter. Keys that begin with "wrong" are not valid, nor
are addresses in `.invalid`.
"""

import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

LISTS: Final = {20547: "Newsletter", 20548: "Customers", 20549: "Without a letter"}
WITHOUT_LETTER: Final = 20549
_MINUTE: Final = 60.0
_ALL_CALLS, _SUBSCRIPTIONS = 1200, 300
_MAX_ROWS, _MAX_COLUMNS = 500, 50
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.(?!invalid$)[^@\s.]+")

Arguments = Mapping[str, str]


class UnisenderError(Exception):
    """An error in place of a result."""

    def __init__(self, message: str, code: str = "unspecified") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class UnisenderContact:
    """A contact: its status, fields, tags and lists, and how many letters it was sent."""

    def __init__(self, id: int) -> None:
        self.id = id
        self.status = "new"
        self.fields: dict[str, str] = {}
        self.tags: set[str] = set()
        self.lists: set[int] = set()
        self.letters = 0


class FakeUnisender(Vendor):
    """Stores contacts by their address. `imports` counts the accepted calls of importContacts."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.contacts: dict[str, UnisenderContact] = {}
        self.imports = 0
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        self._methods: Mapping[str, Callable[[Arguments], tuple[Json, bool]]] = {
            "subscribe": self._subscribe,
            "exclude": self._remove_from_lists,
            "unsubscribe": self._remove_from_lists,
            "importContacts": self._import,
            "getContact": self._get_contact,
            "getLists": self._get_lists,
            "getFields": self._get_fields,
        }

    def answer(self, request: VendorRequest) -> Answer:
        """Call a method, and return its result or its error with status 200."""
        try:
            method = request.path.rpartition("/")[2]
            result, stored = self._call(method, _arguments(request))
        except UnisenderError as error:
            return Answer(content={"error": error.message, "code": error.code, "result": ""}, stored=False)
        return Answer(content={"result": result}, stored=stored)

    def on_list(self, id: int) -> set[str]:
        """Return the addresses on a list."""
        return {address for address, known in self.contacts.items() if id in known.lists}

    def _call(self, method: str, arguments: Arguments) -> tuple[Json, bool]:
        key = arguments.get("api_key", "")
        if not key or key.startswith("wrong"):
            raise UnisenderError("Specified api_key is not valid", "invalid_api_key")
        if method not in self._methods:
            raise UnisenderError(f"Unknown method {method}", "unknown_method")
        self._count(key, _ALL_CALLS)
        if method == "subscribe":
            self._count(f"{key} subscribe", _SUBSCRIPTIONS)
        return self._methods[method](arguments)

    def _count(self, key: str, limit: int) -> None:
        calls, now = self._calls[key], time.monotonic()
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if len(calls) >= limit:
            raise UnisenderError("Too many calls", "api_call_limit_exceeded_for_api_key")
        calls.append(now)

    def _subscribe(self, arguments: Arguments) -> tuple[Json, bool]:
        fields = {name[7:-1]: value for name, value in arguments.items() if name.startswith("fields[")}
        lists, optin = _lists(arguments.get("list_ids", "")), arguments.get("double_optin", "0")
        if not lists:
            raise UnisenderError("list_ids is required", "invalid_arg")
        address = self._address(fields)
        known = self.contacts.get(address)
        sends_letter = optin == "0" or (optin == "4" and (known is None or known.status != "active"))
        if sends_letter and WITHOUT_LETTER in lists:
            raise UnisenderError(f"List {WITHOUT_LETTER} has no confirmation letters")
        known = self._get_or_create(address)
        if sends_letter:
            known.letters += 1
            known.status = "invited" if known.status == "new" else known.status
            self._update(known, fields, arguments)
            return {"person_id": known.id, "invitation_letter_sent": True}, True
        changed = self._update(known, fields, arguments) or not lists <= known.lists
        known.status, known.lists = "active", known.lists | lists
        return {"person_id": known.id}, changed

    def _address(self, fields: Mapping[str, str]) -> str:
        email, phone = fields.get("email", ""), fields.get("phone", "").lstrip("+")
        if not email and not phone:
            raise UnisenderError("Neither email nor phone is given", "invalid_arg")
        if email and not _EMAIL.fullmatch(email):
            raise UnisenderError(f"E-mail {email} is not valid", "invalid_arg")
        for address, known in self.contacts.items() if email and phone else ():
            if address != email and known.fields.get("phone", "").lstrip("+") == phone:
                raise UnisenderError("Email and phone already exist but owned by different subscribers")
        return email or phone

    def _get_or_create(self, address: str) -> UnisenderContact:
        return self.contacts.setdefault(address, UnisenderContact(2_500_000_000 + len(self.contacts)))

    def _update(self, known: UnisenderContact, fields: Mapping[str, str], arguments: Arguments) -> bool:
        before = dict(known.fields), set(known.tags)
        known.fields |= {n: v for n, v in fields.items() if arguments.get("overwrite") != "0" or n not in known.fields}
        known.tags |= set(filter(None, arguments.get("tags", "").split(",")))
        return before != (known.fields, known.tags)

    def _remove_from_lists(self, arguments: Arguments) -> tuple[Json, bool]:
        address = arguments.get("contact", "").lstrip("+")
        if address not in self.contacts:
            raise UnisenderError(f'Contact "{address}" not found')
        known, lists = self.contacts[address], _lists(arguments.get("list_ids", "")) or set(LISTS)
        stored = bool(known.lists & lists)
        known.lists -= lists
        return {}, stored

    def _import(self, arguments: Arguments) -> tuple[Json, bool]:
        columns = [value for name, value in arguments.items() if name.startswith("field_names[")]
        rows: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for name, value in arguments.items():
            if at := re.fullmatch(r"data\[(\d+)\]\[(\d+)\]", name):
                rows[int(at[1])][columns[int(at[2])]] = value
        if not rows or len(rows) > _MAX_ROWS or len(columns) > _MAX_COLUMNS:
            raise UnisenderError(f"{len(rows)} rows of {len(columns)} columns cannot be imported", "invalid_arg")
        self.imports += 1
        log: list[Json] = []
        before = len(self.contacts)
        for row, fields in rows.items():
            try:
                self._import_row(fields)
            except UnisenderError as error:
                log.append({"index": row, "code": error.code, "message": error.message})
        inserted, invalid = len(self.contacts) - before, len(log)
        counts = {"total": len(rows), "inserted": inserted, "updated": len(rows) - inserted - invalid, "deleted": 0}
        return {**counts, "new_emails": inserted, "invalid": invalid, "log": log}, invalid < len(rows)

    def _import_row(self, row: Mapping[str, str]) -> None:
        fields = {name: value for name, value in row.items() if name != "tags" and not name.endswith("_list_ids")}
        lists = _lists(row.get("email_list_ids") or row.get("phone_list_ids", ""))
        known = self._get_or_create(self._address(fields))
        known.status, known.lists = "active", known.lists | lists
        self._update(known, fields, row)

    def _get_contact(self, arguments: Arguments) -> tuple[Json, bool]:
        email = arguments.get("email", "")
        if email not in self.contacts:
            raise UnisenderError(f'Contact "{email}" not found')
        known = self.contacts[email]
        lists: list[Json] = [{"id": id, "title": LISTS[id]} for id in sorted(known.lists)]
        return {"email": {"email": email, "status": known.status, "lists": lists, "fields": known.fields}}, False

    def _get_lists(self, _: Arguments) -> tuple[Json, bool]:
        return [{"id": id, "title": title} for id, title in LISTS.items()], False

    def _get_fields(self, _: Arguments) -> tuple[Json, bool]:
        return [{"id": 1, "name": "Name", "is_visible": 1, "view_pos": 1}], False


def _arguments(request: VendorRequest) -> Arguments:
    body = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    if request.query and body:
        raise UnisenderError("Some arguments are in the query and some in the body: send all in one", "invalid_arg")
    return body or dict(parse_qsl(request.query, keep_blank_values=True))


def _lists(text: str) -> set[int]:
    ids = {int(id) for id in text.split(",") if id.isdigit()}
    if ids - LISTS.keys():
        raise UnisenderError(f"There is no list {min(ids - LISTS.keys())}", "invalid_arg")
    return ids
