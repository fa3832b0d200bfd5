"""Follow a configuration and its included files, edited while the relay runs. Its user checks it."""

import hashlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from relay.config.config import Config
from relay.config.include import has_includes, included_files
from relay.config.names_files import names_files, names_folder
from relay.errors import ConfigError
from relay.logs import log

SAME_TIME_SECONDS: Final = 2.0  # the coarsest times that file systems keep: a change within them may show none
AGAIN_SECONDS: Final = 30.0  # after which a file is loaded again where that failed, and not because of the file
_Look: TypeAlias = tuple[tuple[int, ...] | None, ...]


class ConfigWatcher:
    """Keeps the last valid configuration of a file in `current`, and in `error` why the file as it is was refused.

    The first load must succeed: the constructor raises ConfigError as `load` does. Changes are found by content and not
    by times: a file that was touched, or replaced by an equal one (a ConfigMap, an editor's rename), has not changed. A
    changed file is to be loaded when the next check finds it unchanged: half a file that is being written may be valid,
    with half of the routes. `load` may be called in another thread; then `end_load`, and `take`, `refuse` or
    `fail` what came of it.
    """

    def __init__(self, path: str, load: Callable[[], Config], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = Path(path)
        self._names_folder = names_folder(path)
        self.load = load
        self._monotonic = monotonic
        self._includes = False
        self._names: list[Path] = []
        self._look: _Look | None = None
        self._seen_since = 0.0  # for how long they have looked so, monotonic seconds
        self._read_since = False  # they were read when they had looked so for long enough
        self._again_at = math.inf  # when it is loaded again though it has not changed, monotonic seconds
        self._loaded = self._latest = self._to_load = self._digest()
        self.current = load()
        self.error: str | None = None

    @property
    def changing(self) -> bool:
        """Whether the file was found changed, and is not loaded yet."""
        return self._latest != self._loaded

    def check(self) -> bool:
        """Check the file for changes. Returns whether it has changed, and stands still: then it is to be loaded."""
        before, self._latest = self._latest, self._digest()
        self._to_load = self._latest
        return self._latest == before and (self.changing or self._monotonic() >= self._again_at)

    def end_load(self) -> None:
        """Note that the file as the last check found it was loaded, whatever came of that: it is not loaded again."""
        self._loaded, self._again_at = self._to_load, math.inf

    def refuse(self, error: ConfigError) -> None:
        """Leave what is in force: the file is invalid."""
        self.error = str(error)
        log.warning("config.refused", path=str(self._path), error=self.error, running=self.current.version)

    def fail(self, error: Exception) -> None:
        """Leave what is in force: loading failed, which may pass. It is tried again, also where nothing changes."""
        self.error = f"it could not be read, and is tried again: {type(error).__name__}: {error}"
        self._again_at = self._monotonic() + AGAIN_SECONDS
        log.error("config.failed", path=str(self._path), error=self.error, running=self.current.version, exc_info=error)

    def take(self, config: Config) -> bool:
        """Put a loaded configuration in force. Returns whether it is another one than before."""
        self.error = None
        if config.version == self.current.version:
            return False
        log.info("config.reloaded", path=str(self._path), version=config.version, previous=self.current.version)
        self.current = config
        return True

    def _digest(self) -> bytes | None:
        """Return a digest of the files. They are read only where nothing else shows that they are what they were."""
        look, now = self._look_at(), self._monotonic()
        if look is None or look != self._look:
            self._look, self._seen_since, self._read_since = look, now, False
        if self._read_since:
            return self._latest
        self._read_since = look is not None and now - self._seen_since > SAME_TIME_SECONDS
        return self._read()

    def _look_at(self) -> _Look | None:
        """Return what changes with every change of the files, but for those within the time that file systems keep.

        None where only reading tells: which files a pattern of `include` matches shows no single folder.
        """
        if self._includes:
            return None
        return tuple(map(_look_at, [self._path, self._names_folder, *self._names]))

    def _read(self) -> bytes | None:
        """Return a digest of the file, of those that it includes and of the files of names beside it."""
        path = str(self._path)
        self._includes, self._names = has_includes(path), names_files(path)
        try:
            return hashlib.blake2b(
                b"\0".join(
                    part
                    for file in [self._path, *included_files(path), *self._names]
                    for part in (bytes(file), file.read_bytes())
                )
            ).digest()
        except OSError:  # being replaced, or gone: `load` reports it if it does not come back
            return None


def _look_at(path: Path) -> tuple[int, ...] | None:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # over a network only who opens it is told what it is now
    except OSError:
        return None
    try:
        found = os.fstat(opened)
    finally:
        os.close(opened)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
