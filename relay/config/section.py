"""The base of everything the YAML is read into."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the file. A key that it does not know is an error, never ignored."""

    # Deferred: a section within another is validated by that one, and needs no validator of its own.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
