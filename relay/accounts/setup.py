"""How an account is set up: its pipelines with their statuses, its users, its custom fields."""

from collections.abc import Mapping, Sequence

from relay.config.account_names import AccountNames, CustomField, Pipeline
from relay.model import Record


class AccountPipeline(Record):
    """A pipeline with the names of its statuses by id, in the account's order."""

    name: str
    statuses: Mapping[str, str]


class AccountUser(Record):
    """A user. One that is not active cannot log in any more."""

    name: str
    active: bool


class AccountField(Record):
    """A custom field. `values`: those that can be chosen; none where anything can be written."""

    name: str
    code: str
    type: str
    values: Sequence[str] = ()


class AccountSetup(Record):
    """How an account is set up, everything by its id; fields by lead, contact and company."""

    pipelines: Mapping[str, AccountPipeline]
    users: Mapping[str, AccountUser]
    fields: Mapping[str, Mapping[str, AccountField]]

    def names(self) -> AccountNames:
        """Return what of it stands in a file of names."""
        return AccountNames(
            pipelines={id: Pipeline(name=one.name, statuses=dict(one.statuses)) for id, one in self.pipelines.items()},
            users={id: user.name for id, user in self.users.items()},
            fields={
                entity: {id: CustomField(name=one.name, code=one.code, type=one.type) for id, one in fields.items()}
                for entity, fields in self.fields.items()
            },
        )
