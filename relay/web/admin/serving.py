"""Turn the functions of pages into endpoints, in which every mistake gets a clear page."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from relay.errors import RelayError, StoreUnavailable
from relay.logs import log
from relay.translation.messages import UiText, message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.cookies import remove_cookie
from relay.web.admin.notices import COOKIE, Notice, read_notice, set_notice
from relay.web.admin.page_request import PageRequest
from relay.web.admin.rendering import render
from relay.web.admin.rights import acting

T = TypeVar("T")
_AWAY: Final = message("The shard {subject} does not answer: what is shown is without it.")
PageFunction: TypeAlias = Callable[[PageRequest], Awaitable[Content | Done]]


def page(path: str, function: PageFunction) -> Route:
    """Make the route of a page. Where its function returns something done, the browser goes where that leads."""

    async def endpoint(request: Request) -> Response:
        asked = PageRequest(request)
        content = await _content(asked, function)
        if isinstance(content, Done):
            return RedirectResponse(local_address(content.to), 303)
        notice = read_notice(request)
        response = await answer(asked, content, notice=notice is not None)
        if notice is not None:
            remove_cookie(response, request, COOKIE)
        return response

    return Route(path, endpoint, methods=["GET", "HEAD"])


def question(path: str, function: PageFunction) -> Route:
    """Make the route of a form that asks something too long for an address, and changes nothing."""

    async def endpoint(request: Request) -> Response:
        asked = PageRequest(request)
        content = await _content(asked, function)
        assert isinstance(content, Content)
        return await answer(asked, content)

    return Route(path, endpoint, methods=["POST"])


def act(path: str, function: PageFunction) -> Route:
    """Make the route of an act: the one way by which a page changes anything."""

    async def endpoint(request: Request) -> Response:
        asked = PageRequest(request)
        done = await _content(asked, function)
        if isinstance(done, Content):
            return await answer(asked, done)
        response = RedirectResponse(local_address(done.to), 303)
        set_notice(response, request, done, asked.translator)
        return response

    return Route(path, acting(endpoint), methods=["POST"])


async def answer(asked: PageRequest, content: Content, *, notice: bool = False) -> Response:
    """Render a page as a response."""
    notice_read = _with_away(asked, read_notice(asked.request) if notice else None)
    try:
        text = await render(asked, content, notice_read)
    except Exception:  # noqa: BLE001  a defect of one template is no reason to show a bare page
        log.exception("page.failed", path=asked.request.url.path)
        content = _defect()
        text = await render(asked, content, notice_read)
    return HTMLResponse(text, content.status)


def _with_away(asked: PageRequest, notice: Notice | None) -> Notice | None:
    """Add to what is told above a page which shards it is without."""
    away = [UiText(text=_AWAY.text, values={"subject": name}) for name in asked.services.reader.away]
    lines = [asked.translator.say(text) for text in away]
    return Notice(ok=False, lines=[*(notice.lines if notice else ()), *lines]) if lines else notice


def _defect() -> Content:
    return problem(500, message("This page met a defect of the relay; its log says which."))


async def not_found(request: Request, _: Exception) -> Response:
    """Answer under an address that no page has."""
    asked = PageRequest(request)
    return await answer(asked, problem(404, message("There is no such page.")))


def local_address(address: str) -> str:
    """Return an address of the pages; that of their home in place of any other."""
    local = address.startswith("/admin") and "//" not in address.partition("?")[0] and "\\" not in address
    return address if local and address.isprintable() else "/admin"


def problem(status: int, what: UiText | str) -> Content:
    """Make a page that says what is wrong."""
    return Content(template="problem.html", title=message("Problem"), status=status, values={"what": what})


async def _content(asked: PageRequest, function: Callable[[PageRequest], Awaitable[T]]) -> T | Content:
    """Call the function of a page; what it raises becomes a page that says so."""
    try:
        return await function(asked)
    except NotThere as error:
        return problem(404, error.message)
    except StoreUnavailable as error:
        return Content(template="away.html", title=message("Problem"), status=503, values={"what": str(error)})
    except RelayError as error:
        return problem(400, str(error))
    except Exception:  # noqa: BLE001  a defect of one page is no reason to show a bare one
        log.exception("page.failed", path=asked.request.url.path)
        return _defect()
