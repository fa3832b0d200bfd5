"""The base of everything the YAML is read into."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the file. A key that it does not know is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
