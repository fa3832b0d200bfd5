"""Tell facts in English and Russian, ready to be sent."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from relay.model import Value

Views: TypeAlias = Mapping[str, Mapping[str, Value]]

TITLES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "delivery_dead": "{sink}: a delivery was given up",
        "delivery_dead of several": "{sink}: {count} deliveries were given up",
        "delivery_held": "{sink}: a delivery is held, a person must decide",
        "delivery_held of several": "{sink}: {count} deliveries are held, a person must decide",
        "delivered": "{sink}: a delivery has arrived",
        "sink_closed": "{sink} refuses everything, what is for it waits",
        "sink_closed by breaker": "{sink} is down, what is for it waits",
        "sink_closed of a route": "{sink} refuses everything of the route {route}, it waits",
        "sink_opened": "{sink} takes deliveries again",
        "sink_opened of a route": "{sink} takes deliveries of the route {route} again",
        "source_silent": "{subject} is silent: by its rhythm a hook should have come",
        "hook_disabled": "amoCRM has switched off the hook of {subject}: nothing arrives",
        "store_nearly_full": "The store is nearly full",
        "store_nearly_full already": "The store is full: new hooks are answered 503",
        "drift": "The account and the routes do not fit together any more: {subject}",
        "budget_reached": "{subject} has reached its limit, what is for it waits",
        "times": "{title} ({count} times)",
    },
    "ru": {
        "delivery_dead": "{sink}: доставка прекращена",
        "delivery_dead of several": "{sink}: прекращено доставок: {count}",
        "delivery_held": "{sink}: доставка задержана, решать человеку",
        "delivery_held of several": "{sink}: задержано доставок: {count}, решать человеку",
        "delivered": "{sink}: доставка дошла",
        "sink_closed": "{sink} отвергает всё, доставки ждут",
        "sink_closed by breaker": "{sink} не работает, доставки ждут",
        "sink_closed of a route": "{sink} отвергает всё маршрута {route}, доставки ждут",
        "sink_opened": "{sink} снова принимает доставки",
        "sink_opened of a route": "{sink} снова принимает доставки маршрута {route}",
        "source_silent": "{subject} молчит: по обычному ритму хук уже должен был прийти",
        "hook_disabled": "amoCRM отключила хук источника {subject}: ничего не приходит",
        "store_nearly_full": "Хранилище почти заполнено",
        "store_nearly_full already": "Хранилище заполнено: новые хуки получают ответ 503",
        "drift": "Аккаунт и маршруты больше не подходят друг к другу: {subject}",
        "budget_reached": "{subject} исчерпал свой лимит, доставки ждут",
        "times": "{title} (раз: {count})",
    },
}


def title_of_fact(name: str, views: Views, language: str) -> str:
    """Return a fact in one line."""
    texts = TITLES[language]
    count, route = _get(views, "fact", "count"), _get(views, "sink", "route")
    subject = _get(views, "problem", "subject").partition("/")[0]  # acme/status/142: in the account of acme
    several = int(count or 1) > 1
    title = texts[_variant(name, views, several=several, of_route=bool(route))].format(
        sink=_get(views, "sink", "name"), route=route, subject=subject or _get(views, "problem", "found"), count=count
    )
    return texts["times"].format(title=title, count=count) if several and not name.startswith("delivery") else title


def _variant(name: str, views: Views, *, several: bool, of_route: bool) -> str:
    if name.startswith("delivery") and several:
        return f"{name} of several"
    if of_route:
        return f"{name} of a route"
    if name == "sink_closed" and _get(views, "sink", "closed_by") == "breaker":
        return "sink_closed by breaker"
    if _get(views, "problem", "kind") == "store-full":
        return "store_nearly_full already"
    return name


def describe_fact(name: str, views: Views) -> str:
    """Return what others said of it, or what was found, in their words."""
    if name.startswith("deliver"):
        route, reason = _get(views, "delivery", "route"), _get(views, "delivery", "reason")
        return f"{route}: {reason}" if reason else route
    found, cause = _get(views, "problem", "found"), _get(views, "problem", "cause")
    return _get(views, "sink", "reason") or (f"{found}: {cause}" if cause not in ("", found) else found)


def _get(views: Views, view: str, field: str) -> str:
    return str(views.get(view, {}).get(field, ""))
