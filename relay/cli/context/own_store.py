"""The store that `relay up` brings, as commands find it."""

from relay.cli.context.environment import nonempty_environ
from relay.config.environment import ProcessSettings
from relay.embedded.server import EmbeddedStore
from relay.errors import ConfigError
from relay.processes.folder import UP_FOLDER, running_environ


def namespace_of_own_store() -> str:
    """Return the namespace of the store that `relay up` brings: of the one that runs, else by the environment.

    Raises ConfigError where REDIS_URL names another store.
    """
    settings = ProcessSettings.from_environ(nonempty_environ())
    running = running_environ(UP_FOLDER)
    own = EmbeddedStore(UP_FOLDER / "store").url
    if settings.redis_url is not None or running.get("REDIS_URL", own) != own:
        raise ConfigError("REDIS_URL names a store of your own: save it as its maker says. This is for `relay up`'s")
    return ProcessSettings.from_environ(running).namespace if running else settings.namespace
