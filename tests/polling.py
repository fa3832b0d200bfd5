"""Look at a configuration file as a relay does, without its loop."""

from relay.config.config import Config
from relay.config.watcher import ConfigWatcher
from relay.errors import ConfigError


def poll(watcher: ConfigWatcher) -> Config | None:
    """Look at the file, and load it where it is to be. Returns the new configuration where there is one."""
    if not watcher.check():
        return None
    try:
        return watcher.current if watcher.take(watcher.load()) else None
    except ConfigError as error:
        watcher.refuse(error)
        return None
    finally:
        watcher.end_load()
