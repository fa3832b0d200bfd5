"""The fake amoCRM account beside a relay, and what its tests tell it."""

from typing import Any

from relay.processes.supervisor import Processes
from relay.sandbox.amocrm.access import LONG_LIVED
from tests.e2e.harness import TOKEN, request_json


class AccountClient:
    """The account, reached by HTTP as amoCRM is."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.url = f"{processes.sandbox_url}/amocrm"

    def create(self, entities: str, given: Any) -> dict[str, Any]:
        """Make records; answers when their hooks were answered."""
        return self._tell(entities, given)

    def change(self, entities: str, id: int, given: dict[str, Any]) -> Any:
        return self._tell(f"{entities}/{id}", given, "PATCH")

    def switch(self, how: str) -> None:
        """`disable` or `enable` every hook, `expire` or `revoke` tokens."""
        self._tell(how, {})

    def limit(self, **limits: Any) -> None:
        self._tell("limits", limits, "PATCH")

    def asked(self) -> dict[str, int]:
        """Count the requests by method and path."""
        return dict(self.state()["asked"])

    def state(self) -> Any:
        return request_json(f"{self.url}/__sandbox__/state")

    def connect(self, events: list[str], source: str = "acme") -> str:
        """Subscribe the relay's address, as `relay connect` does."""
        url = f"{self._processes.url}/hooks/{source}/{TOKEN}"
        body = {"destination": url, "settings": events}
        request_json(f"{self.url}/api/v4/webhooks", body, headers={"Authorization": f"Bearer {LONG_LIVED}"})
        return url

    def _tell(self, path: str, given: Any, method: str | None = None) -> Any:
        return request_json(f"{self.url}/__sandbox__/{path}", given, method)
