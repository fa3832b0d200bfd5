"""All addresses under `/admin`."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.store.reader import Reader
from relay.store.store import Store
from relay.web.admin import (
    actions,
    audit,
    deliveries,
    delivery_acts,
    events,
    people,
    problems,
    replays,
    route_pages,
    sinks,
    sources,
    story,
    subscriptions,
    system,
)
from relay.web.admin.api.routes import routes as api_routes
from relay.web.admin.assets import send_asset
from relay.web.admin.changes import send_changes
from relay.web.admin.look import choose_look
from relay.web.admin.mcp.routes import routes as mcp_routes
from relay.web.admin.pulse import Pulse
from relay.web.admin.services import Services
from relay.web.admin.serving import act, not_found, page, question


def compose(settings: ProcessSettings, live: LiveConfig, reader: Reader, store: Store) -> Starlette:
    """Make the application of the pages."""
    services = Services(settings=settings, live=live, reader=reader, store=store, pulse=Pulse(reader, store, live))
    routes = [*page_routes(), *mcp_routes(services), *api_routes(services)]
    app = Starlette(routes=routes, exception_handlers={404: not_found})
    app.state.services = services
    return app


def page_routes() -> list[Route]:
    """Return the routes of the pages, and of what they load."""
    return [
        Route("/admin", _go_home),
        Route("/admin/static/{digest}/{name}", send_asset),
        Route("/admin/changes", send_changes),
        Route("/admin/look", choose_look),
        page(problems.HOME, problems.show),
        act("/admin/problems/mark", problems.mark),
        act("/admin/problems/help", problems.help_with),
        page("/admin/events", events.show),
        page("/admin/events/{id}", story.show),
        page(actions.HOME, actions.show),
        page(f"{actions.HOME}/new", actions.show_new),
        act(f"{actions.HOME}/start", actions.start),
        page(f"{actions.HOME}/{{id}}", actions.show_one),
        act(f"{actions.HOME}/{{id}}/change", actions.change),
        page(route_pages.HOME, route_pages.show),
        question(f"{route_pages.HOME}/explain", route_pages.explain),
        page(sinks.HOME, sinks.show),
        page(f"{sinks.HOME}/{{name}}", sinks.show_one),
        act(f"{sinks.HOME}/{{name}}/pause", sinks.pause),
        act(f"{sinks.HOME}/{{name}}/resume", sinks.resume),
        act(f"{sinks.HOME}/{{name}}/probe", sinks.probe),
        act("/admin/events/{id}/reveal", story.reveal),
        page("/admin/events/{id}/replay", replays.show),
        act("/admin/events/{id}/replay", replays.replay),
        page("/admin/deliveries", deliveries.show),
        act("/admin/deliveries/act", delivery_acts.act_on_marked),
        page("/admin/deliveries/{id}", story.show_delivery),
        page(subscriptions.HOME, subscriptions.show),
        page("/admin/subscriptions/new", subscriptions.show_new),
        act("/admin/subscriptions/token", subscriptions.mint),
        act("/admin/subscriptions/save", subscriptions.save),
        page("/admin/subscriptions/{id}", subscriptions.show_one),
        act("/admin/subscriptions/{id}/test", subscriptions.test),
        act("/admin/subscriptions/{id}/switch", subscriptions.switch),
        page(sources.HOME, sources.show),
        page(f"{sources.HOME}/{{name}}", sources.show_one),
        act(f"{sources.HOME}/{{name}}/connect", sources.connect),
        act(f"{sources.HOME}/{{name}}/names", sources.update_names_file),
        act(f"{sources.HOME}/{{name}}/catch-up", sources.catch_up),
        page("/admin/system", system.show),
        page("/admin/audit", audit.show),
        page(people.HOME, people.show_form),
        act(f"{people.HOME}/passport", people.show),
        act(f"{people.HOME}/erase", people.erase),
    ]


async def _go_home(_: Request) -> Response:
    return RedirectResponse(problems.HOME, 303)
