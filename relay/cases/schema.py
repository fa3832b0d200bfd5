"""What a file of cases may hold, key by key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from relay.config.findings import format_value
from relay.config.scalars import IdText
from relay.config.schema import AccountSettings
from relay.config.section import Section
from relay.operations.explanation import NOT_MADE


def _check_now(text: str) -> str:
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ValueError(f"{format_value(text)} is no time with its zone: write 2026-11-29T12:00:00+03:00")
    return text


class ExpectedDelivery(Section):
    """A delivery of a route that is expected; or that the route does not match."""

    route: str = Field(min_length=1)
    to: str = Field("", description="The sink; default: any of the route's")
    matched: bool = Field(True, description="false: the route does not match")
    because: str = Field("", description="A part of why it does not match, as `relay explain` says it")
    state: Literal["pending", "skipped", "shadowed", "dead", "not made"] = "pending"
    reason: str = Field("", description="A part of the reason of that state")
    once: IdText = Field("", description="The key of `once`")
    order: IdText = Field("", description="The key of `order`")
    latest: IdText = Field("", description="The key of `latest`")
    content: dict[str, Any] | None = Field(None, description="What is sent, as `relay explain` shows it")
    exact: bool = Field(False, description="true: the content has nothing else; default: only what is named counts")

    @property
    def matches(self) -> bool:
        """Return whether the route is expected to match."""
        return self.matched and not self.because

    @property
    def is_delivered(self) -> bool:
        """Return whether a delivery is expected to be made."""
        return self.matches and self.state != NOT_MADE

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        has_key = self.once or self.order or self.latest
        if not self.matches and (self.content is not None or has_key or self.reason or self.state != "pending"):
            raise ValueError("a route that does not match has neither state, reason, once, order, latest nor content")
        if self.exact and self.content is None:
            raise ValueError("exact is about the content: write that too")
        return self


class FetchedRecords(Section):
    """What the account answers about a lead: by the fields of the views, or as API v4 answers."""

    contact: dict[str, Any] | None = None
    contacts: list[dict[str, Any]] | None = Field(None, description="All of them, the main one first")
    company: dict[str, Any] | None = None
    responsible: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check_contacts(self) -> Self:
        if self.contact is not None and self.contacts is not None:
            raise ValueError("write the one contact, or all contacts with the main one first: not both")
        return self


class CaseSettings(Section):
    """A case: a hook in one of its forms, what the account answers, and what is expected of it."""

    name: str = Field(min_length=1, max_length=200)
    source: str = Field("", description="Default: the only one; of a fact, the one that it is about")
    now: Annotated[str, AfterValidator(_check_now)] | None = Field(None, description="When the hook arrives")
    body: str | dict[str, Any] | None = Field(None, description="The hook's body: a form, JSON, or the values in it")
    body_file: str = Field("", description="A file with the body, beside this one")
    event: str = Field("", description="In place of a body: the event's name, and its entity below")
    account: AccountSettings | None = Field(None, description="Whose hook it is; default: the source's account")
    lead: dict[str, Any] | None = None
    contact: dict[str, Any] | None = None
    company: dict[str, Any] | None = None
    customer: dict[str, Any] | None = None
    task: dict[str, Any] | None = None
    note: dict[str, Any] | None = None
    entity: dict[str, Any] | None = Field(None, description="Of any other event: a message, an unsorted request")
    delivery: dict[str, Any] | None = Field(None, description="Of a fact of the relay, as the next three")
    sink: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    fact: dict[str, Any] | None = Field(None, description="Of any fact: count, since, each")
    answer: dict[str, Any] | None = Field(None, description="Of delivered, what the sink replied: text, status, id")
    fetched: (
        Annotated[
            Annotated[FetchedRecords, Tag("records")] | Annotated[Literal["nothing"], Tag("nothing")],
            Discriminator(lambda value: "nothing" if isinstance(value, str) else "records"),
        ]
        | None
    ) = Field(None, description="What the account answers; nothing: it does not have the lead")
    used: tuple[IdText, ...] = Field((), description="Keys of `once` that were delivered before")
    state: Literal["routed", "unrouted", "refused", "malformed"] | None = Field(
        None, description="What becomes of the hook as a whole"
    )
    reason: str = Field("", description="A part of the reason of that state")
    expect: list[ExpectedDelivery]
    others: bool = Field(False, description="true: routes that are not named may deliver as they like")

    @property
    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the views that are given in place of a body, by name: of a right case one."""
        given = {name: getattr(self, name) for name in VIEWS}
        return {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _check_one_hook(self) -> Self:
        forms = [self.body is not None, bool(self.body_file), bool(self.event)]
        if sum(forms) != 1:
            raise ValueError("one of body, body_file and event says what the hook is")
        if not self.event and (self.entities or self.account is not None):
            raise ValueError("a body has its entity and its account in it: write them there, or event in place of body")
        return self


class CaseFile(Section):
    """A file of cases."""

    config: str = Field("", description="The configuration file, beside this one; default: the one in force")
    variables: dict[str, IdText] = Field({}, description="In place of the environment's")
    cases: list[CaseSettings] = Field(min_length=1)


VIEWS = (
    "lead",
    "contact",
    "company",
    "customer",
    "task",
    "note",
    "entity",
    "delivery",
    "sink",
    "problem",
    "fact",
    "answer",
)
"""The views of which a case may give the fields."""
