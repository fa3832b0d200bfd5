"""A fake amoCRM that listens, and clients of it as workers have them: each with a session and a store of its own."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from pydantic import SecretStr

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.config.api import AccountApi, OAuthSettings
from relay.config.config import Source
from relay.config.proxy import ProxyChoice
from relay.model import Account, Limit
from relay.sandbox.amocrm.access import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH, LONG_LIVED, REDIRECT_URI
from relay.sandbox.amocrm.app import FakeAmocrm
from relay.store.connect import connect
from relay.store.shared_state import SharedState
from relay.transport import Session

SECRET_KEY = "0123456789abcdef0123456789abcdef"


class Served:
    """An account behind a port, in a thread of its own; tests use its `amocrm` directly."""

    def __init__(self) -> None:
        self.amocrm = FakeAmocrm()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.amocrm.app(), log_level="warning", ws="none", lifespan="off", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def start(self) -> None:
        self._socket.listen(100)  # a connection waits until the server has started
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    served.start()
    try:
        yield served
    finally:
        served.stop()


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
