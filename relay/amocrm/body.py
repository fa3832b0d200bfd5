"""Decode a receipt's body, however it is compressed, written and encoded."""

from relay.amocrm.body_format import body_format
from relay.amocrm.charset import to_utf8
from relay.amocrm.content_encoding import inflate, is_compressed
from relay.amocrm.form import decode_form
from relay.amocrm.json_body import decode_json
from relay.amocrm.limits import DEFAULT_LIMITS, MAX_BODY_SIZE
from relay.amocrm.multipart import decode_multipart, has_delimiter
from relay.amocrm.remarks import AddRemark
from relay.model import Receipt, Value


def decode_body(receipt: Receipt, add_remark: AddRemark, max_size: int = MAX_BODY_SIZE) -> dict[str, Value]:
    """Return the nested values of a body that inflates to at most `max_size` bytes. Raises Malformed."""
    body, content_type = receipt.body, receipt.content_type
    if is_compressed(body, receipt.content_encoding):
        body = inflate(body, receipt.content_encoding, max_size, add_remark)
    format = body_format(body)
    if ";" in content_type:
        body = to_utf8(body, content_type, format, add_remark)
        if has_delimiter(body, content_type):
            format = "multipart"  # with a text before its first part
    if format == "json":
        return decode_json(body, DEFAULT_LIMITS, add_remark)
    if format == "multipart":
        return decode_multipart(body, content_type, DEFAULT_LIMITS, add_remark)
    return decode_form(body, DEFAULT_LIMITS, add_remark)
