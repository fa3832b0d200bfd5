"""The examples of accounting are valid as they stand, and fit for production."""

import pytest

from relay.config.load import load_file
from relay.sinks.registry import sink_types

SECRETS = dict.fromkeys(
    [
        *("ACME_HOOK_TOKEN", "MOYSKLAD_TOKEN", "LEDGER_TOKEN"),
        *("BOOKS_CLIENT_ID", "BOOKS_CLIENT_SECRET", "BOOKS_SIGNING_SECRET"),
    ],
    "a-secret-for-the-test",
)
IDS = dict.fromkeys(["MOYSKLAD_ORGANIZATION", "MOYSKLAD_SERVICE"], "5f0f2b1e-0000-4000-8000-000000000001")


@pytest.mark.parametrize("name", ["accounting", "moysklad"])
def test_an_example_is_valid(name: str, pytestconfig: pytest.Config) -> None:
    path = pytestconfig.rootpath / "config" / "examples" / f"{name}.yaml"
    assert load_file(str(path), environ={**SECRETS, **IDS}, sink_types=sink_types()).findings == ()
