"""Fetch what an account calls its ids: pipelines, statuses, users and custom fields."""

from relay.accounts.answers import JsonObject
from relay.accounts.client import AccountClient, embedded_items
from relay.accounts.hook_shape import API_NAMES
from relay.config.account_names import AccountNames, CustomField, Pipeline


async def fetch_names(client: AccountClient) -> AccountNames:
    """Fetch pipelines with their statuses, users and custom fields. Raises as the client does."""
    return AccountNames(
        pipelines=await _pipelines(client),
        users=await _users(client),
        fields={entity: await _fields(client, path) for entity, path in API_NAMES.items()},
    )


async def _pipelines(client: AccountClient) -> dict[str, Pipeline]:
    answer = await client.get("/api/v4/leads/pipelines")
    return {
        str(item["id"]): Pipeline(
            name=_name(item), statuses={str(status["id"]): _name(status) for status in embedded_items(item, "statuses")}
        )
        for item in embedded_items(answer, "pipelines")
    }


async def _users(client: AccountClient) -> dict[str, str]:
    pages = client.pages("/api/v4/users", "users")
    return {str(user["id"]): _name(user) async for page in pages for user in page}


async def _fields(client: AccountClient, entities: str) -> dict[str, CustomField]:
    pages = client.pages(f"/api/v4/{entities}/custom_fields", "custom_fields", limit=50)
    return {
        str(field["id"]): CustomField(name=_name(field), code=field.get("code") or "", type=field.get("type") or "")
        async for page in pages
        for field in page
    }


def _name(item: JsonObject) -> str:
    return str(item.get("name") or "")
