"""A diagnosis: how one thing stands, what that means, and what to do about it."""

from typing import Literal, TypeAlias

from relay.model import Record

Grade: TypeAlias = Literal["good", "warning", "bad"]


class Diagnosis(Record):
    """How one thing stands. What that means and what to do is there where it is not good."""

    about: str
    grade: Grade
    found: str
    means: str = ""
    advice: str = ""
