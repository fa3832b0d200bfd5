"""Look up the people behind leads: a lead's hook carries no contact, no company and no phone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from relay.accounts.answers import JsonObject
from relay.accounts.client import AccountClient, Params, embedded_items
from relay.accounts.hook_shape import HookData, to_hook_shape
from relay.amocrm.people import People

CONTACTS, COMPANY, RESPONSIBLE = "contacts", "company", "responsible"
BATCH_SIZE: Final = 50  # ids in one request: more make its address too long


async def fetch_people(
    client: AccountClient, lead_ids: Collection[str], relations: Collection[str]
) -> dict[str, People]:
    """Fetch the `contacts`, `company` and `responsible` of leads in few requests. Leads that do not exist are left out.

    Raises AccountRefused, AccountUnavailable, StoreUnavailable.
    """
    params = {"with": "contacts"} if CONTACTS in relations else {}
    leads = await fetch_entities(client, "leads", lead_ids, params)
    contacts = await _fetch_linked(client, "contacts", leads, CONTACTS in relations)
    companies = await _fetch_linked(client, "companies", leads, COMPANY in relations)
    users = await _fetch_users(client) if RESPONSIBLE in relations and leads else {}
    return {id: _people(lead, contacts, companies, users) for id, lead in leads.items()}


async def fetch_entities(
    client: AccountClient, entities: str, ids: Iterable[str], params: Mapping[str, str] | None = None
) -> dict[str, JsonObject]:
    """Fetch leads, contacts or companies by id, in API v4's shape. What does not exist is left out."""
    found: dict[str, JsonObject] = {}
    for batch in _batches(sorted(set(ids))):
        query: Params = {**(params or {}), "filter[id][]": batch, "limit": BATCH_SIZE}
        answer = await client.get(f"/api/v4/{entities}", query)
        found |= {str(item["id"]): item for item in embedded_items(answer, entities) if "id" in item}
    return found


async def _fetch_users(client: AccountClient) -> dict[str, HookData]:
    """Fetch all users of the account, by id: there are few, and they cannot be requested by several ids."""
    users: dict[str, HookData] = {}
    async for page in client.pages("/api/v4/users", "users", {"with": "phone_number"}):
        users |= {str(user["id"]): to_hook_shape("user", user) for user in page if "id" in user}
    return users


async def _fetch_linked(
    client: AccountClient, entities: str, leads: Mapping[str, JsonObject], is_needed: bool
) -> dict[str, HookData]:
    if not is_needed:
        return {}
    ids = {id for lead in leads.values() for id in _linked_ids(lead, entities)}
    found = await fetch_entities(client, entities, ids)
    return {id: to_hook_shape("company" if entities == "companies" else "contact", item) for id, item in found.items()}


def _people(
    lead: JsonObject, contacts: Mapping[str, HookData], companies: Mapping[str, HookData], users: Mapping[str, HookData]
) -> People:
    own = [contacts[id] for id in _linked_ids(lead, "contacts") if id in contacts]
    return People(
        contact=next(iter(own), None),
        contacts=own,
        company=next((companies[id] for id in _linked_ids(lead, "companies") if id in companies), None),
        responsible=users.get(str(lead.get("responsible_user_id"))),
    )


def _linked_ids(lead: JsonObject, entities: str) -> list[str]:
    """Return the ids of the entities linked to a lead, the main one first."""
    items = [item for item in (lead.get("_embedded") or {}).get(entities) or [] if "id" in item]
    return [str(item["id"]) for item in sorted(items, key=lambda item: not item.get("is_main"))]


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + BATCH_SIZE] for at in range(0, len(ids), BATCH_SIZE))
