"""The addresses outside this machine's fakes that a configuration makes the relay call. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from relay.config.config import Config

_SCHEMES = ("http://", "https://")


def real_addresses(config: Config, fakes: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield who calls an address, a sink or a source, and the address without its path, which may hold a secret."""
    for sink, settings in config.sinks.items():
        for address in dict.fromkeys(map(_origin, (*_urls(settings.model_dump()), *settings.servers))):
            if urlsplit(address).netloc not in fakes:
                yield sink, address
    for source in config.sources.values():
        if source.api is not None and urlsplit(source.api.url).netloc not in fakes:
            yield source.name, _origin(source.api.url)


def _urls(value: object) -> Iterator[str]:
    """Yield all addresses in the settings of a sink: that of its requests, of its tokens, of its probe."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _urls(item)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from _urls(item)
    elif isinstance(value, str) and value.startswith(_SCHEMES):
        yield value


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
