"""Clients of a fake amoCRM as workers have them: each with a session and a store of its own."""

from collections.abc import Callable, Iterator

import pytest

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.config.api import AccountApi, OAuthSettings
from relay.config.config import Source
from relay.config.proxy import ProxyChoice
from relay.model import Account, Limit
from relay.sandbox.amocrm.access import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH, LONG_LIVED, REDIRECT_URI
from relay.secret import SecretStr
from relay.store.connect import connect
from relay.store.shared_state import SharedState
from relay.transport import Session

SECRET_KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def source(served) -> Callable[..., Source]:
    """Return the source whose account the fake is: under a long-lived token, or OAuth."""

    def make(
        *,
        oauth: bool = False,
        refresh: str = FIRST_REFRESH,
        rate: tuple[int, int] = (7, 1000),
        proxy: ProxyChoice | None = None,
    ) -> Source:
        keys = OAuthSettings(
            client_id=CLIENT_ID,
            client_secret=SecretStr(CLIENT_SECRET),
            redirect_uri=REDIRECT_URI,
            refresh_token=SecretStr(refresh),
        )
        credentials = keys if oauth else SecretStr(LONG_LIVED)
        limit = Limit(key="account:acme", count=rate[0], per_ms=rate[1])
        api = AccountApi(url=served.url, credentials=credentials, limit=limit, proxy=proxy)
        return Source("acme", SecretStr("long-enough"), Account(), frozenset(), "UTC", api)

    return make


@pytest.fixture
def client(server, namespace, run, source) -> Iterator[Callable[..., AccountClient]]:
    """Return clients, each as another worker has it."""
    opened = []

    async def open_one(secret_key: str, **more) -> AccountClient:
        store, session = connect(server.url, answer_seconds=10), Session()
        opened.extend([store.aclose, session.close])
        return make_account_client(source(**more), SharedState(store, namespace), session, SecretStr(secret_key))

    yield lambda secret_key=SECRET_KEY, **more: run(open_one(secret_key, **more))
    for close in opened:
        run(close())
