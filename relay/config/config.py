"""A valid configuration in memory: sources, sinks, routes and limits, ready to use."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

from relay.config.account_names import AccountNames
from relay.config.account_uses import AccountUse
from relay.config.api import AccountApi
from relay.config.api_users import ApiUser
from relay.config.findings import Finding
from relay.config.schema import IngressSection, RetentionSection, SubscribersSection, WorkerSection
from relay.config.sink import SinkSettings
from relay.facts.kinds import FACTS, OWN_SOURCE, asked_facts
from relay.facts.settings import PLAIN, FactSettings
from relay.model import Account
from relay.routing import Route, RouteIndex
from relay.secret import SecretStr

DEFAULT_SHARE = 0.8  # so that one source that floods leaves room for the others


@dataclass(frozen=True)
class Source:
    """An amoCRM account that sends hooks to us. An empty `account` accepts the hooks of every account."""

    name: str
    tokens: tuple[SecretStr, ...]  # in the hook's address; the first is the one to give out
    account: Account
    ignore_users: frozenset[str]
    timezone: str
    api: AccountApi | None = None
    share: float | None = None  # of the store
    facts: FactSettings = PLAIN  # of the relay's own source


@dataclass(frozen=True)
class Config:
    """A valid configuration. `version` follows from the files alone: secrets are not in it."""

    version: str
    sources: Mapping[str, Source]
    sinks: Mapping[str, SinkSettings]
    routes: tuple[Route, ...]
    tables: Mapping[str, Mapping[str, str]]
    ingress: IngressSection
    retention: RetentionSection
    worker: WorkerSection
    subscribers: SubscribersSection
    api_users: tuple[ApiUser, ...] = ()
    findings: tuple[Finding, ...] = ()  # what `check --strict` refuses
    facts: FactSettings = PLAIN
    names: Mapping[str, AccountNames] = field(default_factory=dict)  # of each source that has a file of them
    uses: tuple[AccountUse, ...] = ()  # what routes need of accounts

    @cached_property
    def hook_tokens(self) -> Mapping[str, Sequence[bytes]]:
        """The tokens that may stand in the hook's address of each source; the first is the one to give out."""
        return {
            name: [token.get_secret_value().encode() for token in source.tokens]
            for name, source in self.sources.items()
        }

    def find_source(self, name: str) -> Source | None:
        """Return a source by its name, also the relay's own, from which facts come; None where there is none."""
        return self._own_source if name == OWN_SOURCE else self.sources.get(name)

    @cached_property
    def _own_source(self) -> Source:
        timezone = next((source.timezone for source in self.sources.values()), "UTC")
        return Source(OWN_SOURCE, (), Account(), frozenset(), timezone, facts=self.facts)

    @cached_property
    def asked_facts(self) -> Mapping[str, str]:
        """The kinds of facts that routes ask for -> how: "grouped", "each" or both."""
        return asked_facts(((route.on, route.each) for route in self.routes), self.followers)

    @cached_property
    def followers(self) -> Mapping[str, Sequence[str]]:
        """The routes that others follow -> the names of those."""
        found: dict[str, list[str]] = {}
        for route in self.routes:
            for name in sorted(route.follows):
                found.setdefault(name, []).append(route.name)
        return found

    @property
    def sources_with_api(self) -> tuple[str, ...]:
        """The names of the sources whose account can be asked."""
        return tuple(name for name, source in self.sources.items() if source.api is not None)

    @property
    def shares(self) -> dict[str, float]:
        """Which share of the store the hooks of each source may take; one source alone has all, unless it says so."""
        several = len(self.sources) > 1
        shares = {name: source.share or (DEFAULT_SHARE if several else 1.0) for name, source in self.sources.items()}
        return {name: share for name, share in shares.items() if share < 1}

    def routes_of(self, source: str) -> Sequence[Route]:
        """Return the routes that a source's events may match, in the file's order."""
        return self._by_source.get(source, ())

    def routes_for(self, source: str, names: Set[str]) -> tuple[Route, ...]:
        """Return the routes for an event of a source under any of its names, in the file's order."""
        return self.route_index(source, names).routes

    def route_index(self, source: str, names: Set[str]) -> RouteIndex:
        """Return an index of the routes for an event of a source under any of its names. It is made when first used."""
        key = source, frozenset(names & self._routed_names)  # so that there are only so many, whatever is sent
        if key not in self._indexes:
            routes = [route for route in self.routes_of(source) if not route.on.isdisjoint(names)]
            self._indexes[key] = RouteIndex(routes)
        return self._indexes[key]

    @cached_property
    def _indexes(self) -> dict[tuple[str, frozenset[str]], RouteIndex]:
        return {}

    @cached_property
    def _routed_names(self) -> frozenset[str]:
        return frozenset(name for route in self.routes for name in route.on)

    @cached_property
    def _by_source(self) -> Mapping[str, Sequence[Route]]:
        """The routes that a source's events may match, in the file's order: each is looked at once for its sources."""
        of_facts = [at for at, route in enumerate(self.routes) if not route.on.isdisjoint(FACTS)]
        of_all = [at for at, route in enumerate(self.routes) if route.sources is None and at not in of_facts]
        found: dict[str, list[int]] = {source: [] for source in self.sources}
        for at, route in enumerate(self.routes):
            for source in (route.sources or frozenset()) & found.keys():
                found[source].append(at)
        facts = {OWN_SOURCE: [self.routes[at] for at in of_facts]}
        return facts | {source: [self.routes[at] for at in sorted([*of_all, *own])] for source, own in found.items()}
