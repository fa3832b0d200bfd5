"""Follow a configuration and its included files, edited while the relay runs. There is no thread: its user polls."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from relay.config.config import Config
from relay.config.include import included_files
from relay.config.names_files import names_files
from relay.errors import ConfigError
from relay.logs import log


class ConfigWatcher:
    """Keeps the last valid configuration of a file in `current`, and in `error` why the file as it is was refused.

    The first load must succeed: the constructor raises ConfigError as `load` does. Changes are found by content and not
    by times: a file that was touched, or replaced by an equal one (a ConfigMap, an editor's rename), has not changed. A
    changed file is loaded when the next poll finds it unchanged: half a file that is being written may be valid, with
    half of the routes.
    """

    def __init__(self, path: str, load: Callable[[], Config]) -> None:
        self._path = Path(path)
        self._load = load
        self._loaded = self._latest = self._digest()
        self.current = load()
        self.error: str | None = None

    @property
    def changing(self) -> bool:
        """Whether the file was found changed, and is not loaded yet."""
        return self._latest != self._loaded

    def poll(self) -> Config | None:
        """Return the new configuration once it is complete and valid, else None. An invalid one is logged once."""
        before, self._latest = self._latest, self._digest()
        if self._latest != before or self._latest == self._loaded:
            return None
        self._loaded = self._latest
        try:
            config = self._load()
        except ConfigError as error:
            self.error = str(error)
            log.warning("config.refused", path=str(self._path), error=self.error, running=self.current.version)
            return None
        self.error = None
        return self._replace(config)

    def _replace(self, config: Config) -> Config | None:
        if config.version == self.current.version:
            return None
        log.info("config.reloaded", path=str(self._path), version=config.version, previous=self.current.version)
        self.current = config
        return config

    def _digest(self) -> bytes | None:
        """Return a digest of the file, of those that it includes and of the files of names beside it."""
        path = str(self._path)
        files = [self._path, *included_files(path), *names_files(path)]
        try:
            return hashlib.blake2b(
                b"\0".join(part for file in files for part in (bytes(file), file.read_bytes()))
            ).digest()
        except OSError:  # being replaced, or gone: `load` reports it if it does not come back
            return None
