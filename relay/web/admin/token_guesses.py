"""Limit how often a peer may send wrong operators' tokens, over all web processes."""

from typing import Final

from starlette.requests import HTTPConnection

from relay.logs import log
from relay.store.access import Access
from relay.translation.messages import message
from relay.web.peers import peer_name

_KIND: Final = "operator"
_FORM: Final = "the operators' sign-in form"  # counted as a login of its own: no login of an API user is called so


class TooManyGuesses(Exception):
    """The peer must wait for so many `seconds`, with the right token too where a form sends it."""

    def __init__(self, ms: int) -> None:
        self.seconds = -(-ms // 1000)
        minutes = -(-self.seconds // 60)
        self.reason = message(
            "too many wrong tokens from your address: wait {n} min, or ask from another one", n=minutes
        )
        super().__init__(self.reason.text)


class TokenGuesses:
    """Counts wrong tokens by peer. Every method raises StoreUnavailable, and TooManyGuesses."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def note_form(self, request: HTTPConnection, *, correct: bool) -> None:
        """Count what the form sent, if it was wrong. Who has guessed too often must wait with the right one, too."""
        form_ms, _ = await self._access.check_login_rate(_KIND, peer_name(request), _FORM, correct)
        self._note(request, form_ms, correct=correct)

    async def note_wrong_bearer(self, request: HTTPConnection) -> None:
        """Count a program's wrong token. A right one is never refused: it is too long to be guessed."""
        _, all_ms = await self._access.check_login_rate(_KIND, peer_name(request), "", False)
        self._note(request, all_ms, correct=False)

    def _note(self, request: HTTPConnection, ms: int, *, correct: bool) -> None:
        if ms:
            log.warning("access.locked", of=_KIND, peer=peer_name(request), ms=ms)
            raise TooManyGuesses(ms)
        if not correct:
            log.warning("access.refused", kind=_KIND, peer=peer_name(request))
