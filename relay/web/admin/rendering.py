"""Render pages: Jinja2 with everything escaped, in the language of whoever asks."""

import re
from functools import cache
from typing import Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from relay.errors import StoreUnavailable
from relay.masking import mask_people
from relay.timefmt import format_duration
from relay.translation.messages import LANGUAGES, Translator, UiText
from relay.web.admin.assets import asset_url
from relay.web.admin.content import Content
from relay.web.admin.menu import MENU
from relay.web.admin.notices import Notice
from relay.web.admin.page_request import PageRequest
from relay.web.admin.pulse import Overview
from relay.web.admin.times import show_ago, show_clock, show_minute, show_second, unit_texts

_LATIN: Final = re.compile("[A-Za-z]{2}")
_CYRILLIC: Final = re.compile("[а-яё]", re.IGNORECASE)
_QUOTED: Final = re.compile("`([^`]+)`")
# Of the strip: what needs a person where it is not 0.
_TONES: Final = {
    "held": "warn", "dead": "bad", "closed gates": "bad", "silent sources": "warn", "problems": "bad",
}  # fmt: skip

_STATE_TONES: Final = {
    **dict.fromkeys(("delivered", "routed", "opened", "open", "resumed"), "good"),
    **dict.fromkeys(("held", "unknown", "throttled", "paused", "retry", "refused"), "warn"),
    **dict.fromkeys(("dead", "malformed", "quarantined", "rejected", "blocked", "closed", "still closed"), "bad"),
    **dict.fromkeys(("pending", "accepted", "action running"), "info"),
    **dict.fromkeys(("action paused", "action aborted"), "warn"),
    "action done": "good",
    "action failed": "bad",
}


@cache
def environment() -> Environment:
    """Return Jinja2's environment, with templates that are compiled once."""
    made = Environment(
        loader=PackageLoader("relay.web.admin"), autoescape=True, undefined=StrictUndefined, auto_reload=False,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"asset": asset_url, "menu": MENU, "languages": LANGUAGES, "tones": _TONES, "tone": _tone}
    made.filters |= {"clock": show_clock, "minute": show_minute, "second": show_second}
    made.filters |= {"duration": _duration, "size": _size, "masked": mask_people}
    return made


@pass_context
def _duration(context: Context, ms: int) -> str:
    return _translator(context).duration(format_duration(ms))


@pass_context
def _size(context: Context, n: int) -> str:
    return _translator(context).size(n)


def _translator(context: Context) -> Translator:
    asked: PageRequest = context["asked"]
    return asked.translator


def _with_code(text: str) -> str | Markup:
    """Write what stands in backticks, as commands print it, as code."""
    plain, *quoted = _QUOTED.split(text)
    if not quoted:
        return text
    pairs = zip(quoted[::2], quoted[1::2], strict=True)
    return escape(plain) + Markup().join(Markup("<code>{}</code>{}").format(code, rest) for code, rest in pairs)


def _tone(state: str) -> str:
    return _STATE_TONES.get(state, "")


async def render(asked: PageRequest, content: Content, notice: Notice | None = None) -> str:
    """Render a page, with the overview where the store answers."""
    overview = await _read_overview(asked)
    translator = asked.translator

    def ago(ms: int | None) -> Markup:
        return show_ago(ms, overview.at, translator) if overview else show_minute(ms)

    def say(text: UiText | str) -> str | Markup:
        shown = _with_code(translator.say(text))
        # What others said in Latin letters is not in the page's language, and a screen reader is told so.
        others = isinstance(text, str) and translator.language != "en" and translator.known(text) is None
        foreign = others and _LATIN.search(shown) and not _CYRILLIC.search(shown)
        return Markup('<span lang="en">{}</span>').format(shown) if foreign else shown

    values: dict[str, object] = {
        "asked": asked,
        "overview": overview,
        "notice": notice,
        "title": translator.say(content.title),
    }
    values |= {"t": translator.text, "tn": translator.count, "word": translator.word, "number": translator.number}
    values |= {
        "say": say,
        "plain": translator.say,
        "words": translator.words,
        "ago": ago,
        "units": msgspec.json.encode(unit_texts(translator)).decode(),
    }
    values |= {"language": translator.language, "form_token": asked.form_token, "status": content.status}
    values |= {"path": asked.request.url.path, "address": _address(asked)}
    return environment().get_template(content.template).render({**values, **content.values})


async def _read_overview(asked: PageRequest) -> Overview | None:
    try:
        return await asked.services.pulse.overview()
    except StoreUnavailable:
        return None


def _address(asked: PageRequest) -> str:
    url = asked.request.url
    return f"{url.path}?{url.query}" if url.query else url.path
