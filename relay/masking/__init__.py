"""Mask people and secrets in texts: the one place that knows what either looks like. Pure.

Logs, commands, answers and errors all mask by it. Of people (e-mail addresses, telephone numbers, names) enough is left
to tell one from another; of secrets nothing.
"""

from relay.masking.names import add_names, collect_names
from relay.masking.people import mask_people, mask_people_in_json, mask_phone
from relay.masking.secrets import (
    MASK,
    is_secret_header,
    is_unmistakable,
    mask_credentials,
    mask_known,
    mask_query,
    mask_secrets,
    mask_secrets_in_json,
    mask_userinfo,
)

__all__ = [
    "MASK",
    "add_names",
    "collect_names",
    "is_secret_header",
    "is_unmistakable",
    "mask_credentials",
    "mask_known",
    "mask_people",
    "mask_people_in_json",
    "mask_phone",
    "mask_query",
    "mask_secrets",
    "mask_secrets_in_json",
    "mask_userinfo",
]
