"""A body in `multipart/form-data`, read as PHP reads it: the fields of a form, each in a part of its own."""

import re

from relay.amocrm.escapes import describe_bad_byte
from relay.amocrm.layout import describe_field, layout_of
from relay.amocrm.limits import DEFAULT_LIMITS, BodyLimits, check_size, describe_left_out
from relay.amocrm.remarks import AddRemark, refuse
from relay.errors import Malformed
from relay.model import Value

# A boundary has 70 characters at most (RFC 2046, 5.1.1): of a longer one it takes seconds to make a pattern.
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;,"]{1,70})(?![^\s;,"]))', re.IGNORECASE)
_FIRST_LINE = re.compile(rb"\s*--([^\r\n]{1,70})(?![^\r\n])")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_DISPOSITION = re.compile(rb"^content-disposition:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(rb'(?<![\w*])name\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;]+))', re.IGNORECASE)
_FILE_NAME = re.compile(rb"(?<!\w)filename\*?\s*=", re.IGNORECASE)
_QUOTED = re.compile(rb'\\(["\\])')


def decode_multipart(
    body: bytes, content_type: str, limits: BodyLimits = DEFAULT_LIMITS, add_remark: AddRemark = refuse
) -> dict[str, Value]:
    """Decode a body's parts into the values that `decode_form` returns for the same fields.

    Nothing is unescaped in them. Files, and parts without a name, are left out with a remark; of a body that was cut
    what came is read. By default a remark is refused. Raises Malformed.
    """
    check_size(body, limits)
    delimiter = _delimiter(body, content_type)
    # The first is what stands before the parts; one more than the limit is what is left out.
    parts = re.split(rb"(?:\A\s*|\r?\n)" + delimiter, body, maxsplit=limits.fields + 1)[1:]
    if len(parts) > limits.fields and not parts[-1].startswith(b"--"):
        more = len(re.findall(rb"\n" + delimiter + rb"(?!--)", parts.pop()))
        add_remark(f"body: {describe_left_out(limits.fields + 1 + more, limits.fields, 'fields')}")
    elif not any(part.startswith(b"--") for part in parts):
        add_remark("body: it has no end, it was cut in the middle of its last part")
    keys: list[str] = []
    texts: list[str] = []
    for position, part in enumerate(parts):
        if part.startswith(b"--"):
            continue  # the end; PHP reads on after it
        if (field := _read_part(position, part, add_remark)) is not None:
            keys.append(field[0].replace("%", "%25"))  # a key of a form is escaped
            texts.append(field[1])
    layout = layout_of(tuple(keys), limits)
    for remark in layout.remarks:
        add_remark(remark)
    return layout.fill(texts)


def _delimiter(body: bytes, content_type: str) -> bytes:
    """Return the pattern of what stands before each part: by the content type, or else by the first line."""
    declared = _declared_delimiter(content_type)
    if declared is not None and declared in body:
        return re.escape(declared)
    first = _FIRST_LINE.match(body)
    if first is None:
        raise Malformed("body: multipart without its boundary")
    return re.escape(b"--" + first[1].rstrip())


def _declared_delimiter(content_type: str) -> bytes | None:
    declared = _BOUNDARY.search(content_type)
    return declared and b"--" + (declared[1] or declared[2]).encode("latin-1", "replace")


def has_delimiter(body: bytes, content_type: str) -> bool:
    """Return whether a body has the delimiter that its content type declares."""
    declared = _declared_delimiter(content_type)
    return declared is not None and declared in body


def _read_part(position: int, part: bytes, add_remark: AddRemark) -> tuple[str, str] | None:
    """Return the name and the value of a part; None with a remark where it has none."""
    head, *rest = _END_OF_HEADERS.split(part, maxsplit=1)
    disposition = _DISPOSITION.search(head)
    name = disposition and _NAME.search(disposition[1])
    if disposition is None or name is None or not rest:
        add_remark(f"part {position + 1}: no name or no value, left out")
        return None
    key = _QUOTED.sub(rb"\1", name[1] if name[1] is not None else name[2]).decode(errors="replace")
    if _FILE_NAME.search(disposition[1]):
        add_remark(f"{describe_field(position, key)}: a file, left out")
        return None
    try:
        return key, rest[0].decode()
    except UnicodeDecodeError as error:
        add_remark(f"{describe_field(position, key)}: {describe_bad_byte(error)}")
        return key, rest[0].decode(errors="replace")
