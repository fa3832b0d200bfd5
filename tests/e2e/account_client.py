"""A client of the fake amoCRM account: its controls, and its API."""

from typing import Any

from relay.processes.supervisor import Processes
from relay.sandbox.amocrm.access import LONG_LIVED
from tests.e2e.harness import TOKEN, request_json


class AccountClient:
    """The fake account of a relay's sandbox, over HTTP."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.url = f"{processes.sandbox_url}/amocrm"

    def create(self, entities: str, given: Any) -> dict[str, Any]:
        """Create records. Returns when their hooks were answered."""
        return self._control(entities, given)

    def change(self, entities: str, id: int, given: dict[str, Any]) -> Any:
        return self._control(f"{entities}/{id}", given, "PATCH")

    def switch(self, how: str) -> None:
        """`disable` or `enable` every hook, `expire` or `revoke` tokens."""
        self._control(how, {})

    def set_up(self, change: dict[str, Any]) -> None:
        """Rename, remove or add pipelines, users and fields."""
        self._control("settings", change, "PATCH")

    def limit(self, **limits: Any) -> None:
        self._control("limits", limits, "PATCH")

    def request_counts(self) -> dict[str, int]:
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

    def _control(self, path: str, given: Any, method: str | None = None) -> Any:
        return request_json(f"{self.url}/__sandbox__/{path}", given, method)
