"""What the subscription API says no to. Each generation writes it in its own format."""

from collections.abc import Iterable, Mapping, Sequence

from relay.model import Record

SHAPE = "InvalidType"
MISSING = "FieldMissing"
UNKNOWN = "NotSupportedChoice"
FORM = "InvalidFormat"
LIMIT = "LimitReached"


class Fault(Record):
    """One thing that is wrong with a request: a code of amoCRM's v4, the field, and what would be right."""

    code: str
    path: str
    detail: str


def format_faults(faults: Iterable[Fault]) -> str:
    """Say faults in one line."""
    return "; ".join(f"{fault.path}: {fault.detail}" for fault in faults)


class ApiError(Exception):
    """A request that is not done, and nothing of it. `code` is v1's own error code, by default the status."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: int = 0,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or status
        self.faults = faults
        self.headers = headers or {}


def wrong_shape(path: str, detail: str, code: str = SHAPE) -> ApiError:
    """Refuse a request for a field that is not what it must be."""
    return ApiError(400, f"{path or 'the body'}: {detail}", faults=[Fault(code=code, path=path, detail=detail)])
