"""Texts that finished receipts have in common, so that each is packed without them.

What was packed is read with the very same texts: `WORDS` never changes. Others would be another format of `packing`.
"""

from typing import Final
from urllib.parse import quote

_ENTITY_FIELDS: Final = (
    "type old_responsible_user_id linked_leads_id][0][ID company_name tags][0][id tags][0][name created_at updated_at "
    "pipeline_id account_id date_create created_user_id modified_user_id last_modified responsible_user_id price "
    "old_status_id status_id name id custom_fields][1][id custom_fields][1][name custom_fields][1][values][0] "
    "custom_fields][1][values][0][value custom_fields][0][id custom_fields][0][name custom_fields][0][code "
    "custom_fields][0][values][0] custom_fields][0][values][0][enum custom_fields][0][values][0][value"
)
_TASK_FIELDS: Final = (
    "element_id element_type task_type text status complete_till action_close complete_before created_at updated_at "
    "created_user_id modified_user_id responsible_user_id account_id id"
)
_NOTE_FIELDS: Final = "note][id note][element_id note][element_type note][note_type note][text note][updated_at"
_MESSAGE_FIELDS: Final = (
    "chat_id talk_id contact_id text author][id author][type author][name entity_id entity_type origin created_at"
)
_LETTERS: Final = quote("КПСучвкдмпслртниеао")

_HEAD: Final = (
    "account%5Bsubdomain%5D=&account%5Bid%5D=&account%5B_links%5D%5Bself%5D=https%3A%2F%2F.amocrm.ru.kommo.com"
)
_ATTEMPT: Final = (
    '1|skipped|1|retry|1|delivered|{"number":1,"at":1,"took_ms":1,"outcome":"delivered","reason":"201 Created'
    '","reason":"200 OK","decision":"settle","status":200,"response":"{\\"ok\\":true}","provider_id":"",'
    '"segments":null,"cost":null,"next_at":null,"worker":"","times":1}'
)
_CONTENT: Final = (
    '{"path":"/"}\n{"lead":"","contact":"","name":"","phone":"","email":"","title":"","price":"","amount":"'
)
_RECEIPT: Final = (
    "\0src\0at\0size\0state\0unrouted\0state\0routed\0open\x000\0ct\0application/json\0ct\0"
    'application/x-www-form-urlencoded\0ua\0amoCRM-Webhooks/3.0\0rq\0tok\0\0e:0\0["add_lead","lead","","routed",""]\0'
    'e:0\0["update_contact","contact","","routed",""]\0e:0\0["status_lead","lead","","routed",""]\0d:\x000\0reason\0\0'
    "cfg\0z\x001"
)
_DELIVERY: Final = (
    "\0ev\0.0\0src\0\0route\0\0sink\0\0acc\x001\0at\x001\0att\x001\0state\0delivered\0cfg\0\0c\0:\0size\0"
    "\0once\x001\0tok\0\0reason\x00201 Created\0done\0\0reason\x00200 OK\0done\x001"
)


def _forms(key: str, actions: str, fields: str) -> str:
    return "".join(
        f"&{quote(f'{key}[{action}][0][{field}]', safe='')}=" for action in actions.split() for field in fields.split()
    )


WORDS: Final = "".join(
    [
        _forms("message", "add", _MESSAGE_FIELDS),
        _forms("leads", "note", _NOTE_FIELDS),
        _forms("task", "update add", _TASK_FIELDS),
        _forms("companies", "update add", _ENTITY_FIELDS),
        _forms("contacts", "update add", _ENTITY_FIELDS),
        _forms("leads", "delete responsible add update status", _ENTITY_FIELDS),
        _LETTERS,
        _HEAD,
        _CONTENT,
        _ATTEMPT,
        _RECEIPT,
        _DELIVERY,
    ]
).encode()
"""The commonest stand last: what is near costs least."""
