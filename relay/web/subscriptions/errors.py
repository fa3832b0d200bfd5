"""The errors of the subscription API. Each API version writes them in its own format."""

from collections.abc import Iterable, Mapping, Sequence

from relay.model import Record

INVALID_TYPE = "InvalidType"
FIELD_MISSING = "FieldMissing"
NOT_SUPPORTED_CHOICE = "NotSupportedChoice"
INVALID_FORMAT = "InvalidFormat"
LIMIT_REACHED = "LimitReached"


class FieldError(Record):
    """What is wrong with a field: an error code of amoCRM's v4, the field's path, and what would be right."""

    code: str
    path: str
    detail: str


def format_field_errors(errors: Iterable[FieldError]) -> str:
    """Return errors as one line."""
    return "; ".join(f"{error.path}: {error.detail}" for error in errors)


class ApiError(Exception):
    """A request that was refused as a whole. `code` is v1's own error code, by default the status."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: int = 0,
        field_errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or status
        self.field_errors = field_errors
        self.headers = headers or {}


def invalid_field(path: str, detail: str, code: str = INVALID_TYPE) -> ApiError:
    """Return the error of a request one of whose fields is not what it must be."""
    error = FieldError(code=code, path=path, detail=detail)
    return ApiError(400, f"{path or 'the body'}: {detail}", field_errors=[error])
