"""Make the client of a source's account: its tokens, limit and session together."""

from relay.accounts.client import AccountClient
from relay.accounts.limiter import Limiter
from relay.accounts.oauth import OAuthTokens
from relay.accounts.tokens import LongLivedToken, TokenProvider, TokenStore
from relay.config.api import OAuthSettings
from relay.config.config import Source
from relay.encryption import Encrypter
from relay.errors import ConfigError
from relay.secret import SecretStr
from relay.store.shared_state import SharedState
from relay.transport import Asker, Session


def make_account_client(
    source: Source, shared: SharedState, session: Session, secret_key: SecretStr | None
) -> AccountClient:
    """Return the client of a source's account. Raises ConfigError where it has no api, or no key for its tokens."""
    api = source.api
    if api is None:
        raise ConfigError(
            f"sources.{source.name} has no api: write api: {{token: …}} there, with a long-lived token of the account"
        )
    session = session.on_behalf_of(Asker(source=source.name)).through(api.proxy)
    tokens: TokenProvider
    if isinstance(api.credentials, OAuthSettings):
        if secret_key is None:
            raise ConfigError(
                f"RELAY_SECRET_KEY is not set: the tokens of {source.name} are kept in the store, encrypted with it"
            )
        store = TokenStore(source.name, api.credentials.refresh_token, shared, Encrypter(secret_key))
        tokens = OAuthTokens(source.name, api.url, api.credentials, store, shared, session)
    else:
        tokens = LongLivedToken(source.name, api.credentials)
    return AccountClient(source.name, api.url, tokens, Limiter(shared, api.limit), session)
