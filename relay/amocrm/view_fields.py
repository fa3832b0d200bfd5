"""The fields of each view that amoCRM is known to send: conditions and templates are checked against them."""

from collections.abc import Mapping
from types import MappingProxyType

from relay.amocrm.views import FRIENDLY_FIELDS

_SENT_FIELDS = {
    "lead": """id name status_id old_status_id price responsible_user_id old_responsible_user_id last_modified
        modified_user_id created_user_id date_create pipeline_id old_pipeline_id account_id created_at updated_at""",
    "contact": """id name responsible_user_id old_responsible_user_id date_create last_modified created_user_id
        modified_user_id account_id company_name linked_company_id created_at updated_at type""",
    "company": """id name responsible_user_id old_responsible_user_id date_create last_modified created_user_id
        modified_user_id account_id created_at updated_at type""",
    "customer": """id name responsible_user_id old_responsible_user_id main_user_id date_create date_modify
        last_modified created_by modified_by created_user_id modified_user_id account_id deleted status_id next_price
        next_date periodicity period_id task_last_date created_at updated_at""",
    "task": """id element_id element_type task_type date_create text old_text status account_id created_user_id
        last_modified responsible_user_id old_responsible_user_id main_user modified_by complete_till complete_before
        action_close created_at updated_at""",
    "note": """id text date_create note_type element_type element_id entity entity_id catalog_id group_id timestamp_x
        account_id metadata created_by modified_by main_user_id attachement created_at updated_at""",
    "entity": """id uid talk_id chat_id contact_id lead_id catalog_id pipeline_id source_id account_id entity_id
        entity_type element_id element_type name text type category action source source_uid source_data data
        message_type attachment author origin rate is_in_work is_read accept_result decline_result date_create
        date_modify created_by modified_by modified_user_id deleted created_at updated_at""",
    "responsible": "id name email phone lang",
    "event": "name id source entity action entity_id receipt_id received_at",
    "account": "id subdomain",
}
_NUMBERS = """id status_id old_status_id pipeline_id old_pipeline_id responsible_user_id old_responsible_user_id
    account_id created_user_id modified_user_id created_by modified_by main_user main_user_id element_id element_type
    entity_id linked_company_id price next_price action_close created_at updated_at"""
_WITH_CUSTOM = frozenset({"lead", "contact", "company", "customer", "entity"})


def _fields_of_view(view: str) -> frozenset[str]:
    custom = {"custom"} if view in _WITH_CUSTOM else frozenset()
    return frozenset({*_SENT_FIELDS[view].split(), *FRIENDLY_FIELDS.get(view, ()), *custom})


VIEW_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType({view: _fields_of_view(view) for view in _SENT_FIELDS})
"""The known fields of each view, sent or friendly. `entity` is open: it has all that the hook carries, known or not."""

NUMBER_FIELDS: frozenset[str] = frozenset(_NUMBERS.split())
"""The fields that always hold a number, of every view but `entity`: chats and unsorted have ids that are texts."""
