"""The numbers by which clients know an account and its users, the same in every version of the API."""

from zlib import crc32

from relay.config.api_users import ApiUser

_MAX = 2**31 - 1  # of clients' integers: their languages and databases have signed ones of 32 bits
OPERATOR = 0


def account_number(user: ApiUser) -> int:
    """Return the account's id; 0 where the configuration does not have it."""
    return int(user.account.id) if user.account.id.isdecimal() else 0


def user_number(login: str) -> int:
    """Return a number made from a login, from 1 to 2,147,483,647; without a login, the operator's."""
    return (crc32(login.encode()) & _MAX or 1) if login else OPERATOR
