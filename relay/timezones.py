"""The time zone that was meant by what is none: MSK, UTC+3, Москва. Pure."""

import re
from typing import Final
from zoneinfo import available_timezones

from relay.spelling import nearest_name

_BY_OFFSET: Final = {  # hours from UTC: where most accounts are
    2: "Europe/Kaliningrad", 3: "Europe/Moscow", 4: "Europe/Samara", 5: "Asia/Yekaterinburg", 6: "Asia/Omsk",
    7: "Asia/Novosibirsk", 8: "Asia/Irkutsk", 9: "Asia/Yakutsk", 10: "Asia/Vladivostok", 11: "Asia/Magadan",
    12: "Asia/Kamchatka",
}  # fmt: skip
_BY_CITY: Final = {
    "москва": "Europe/Moscow", "московское": "Europe/Moscow", "санкт-петербург": "Europe/Moscow",
    "питер": "Europe/Moscow", "калининград": "Europe/Kaliningrad", "самара": "Europe/Samara",
    "екатеринбург": "Asia/Yekaterinburg", "омск": "Asia/Omsk", "новосибирск": "Asia/Novosibirsk",
    "красноярск": "Asia/Krasnoyarsk", "иркутск": "Asia/Irkutsk", "якутск": "Asia/Yakutsk",
    "владивосток": "Asia/Vladivostok", "магадан": "Asia/Magadan", "камчатка": "Asia/Kamchatka",
    "минск": "Europe/Minsk", "алматы": "Asia/Almaty", "астана": "Asia/Almaty", "ташкент": "Asia/Tashkent",
    "msd": "Europe/Moscow",
}  # fmt: skip
_OFFSET = re.compile(r"(msk|мск|utc|gmt|z)?\s*(?:([+-])\s*0?(\d{1,2})(?::?00)?)?", re.IGNORECASE)
_MOSCOW_HOURS = 3
_GENERAL = "write it as Europe/Moscow or UTC"


def suggest_timezone(name: str) -> str:
    """Return what to write instead of a name that is no time zone, as part of a sentence."""
    if meant := _by_offset(name) or _by_city(name):
        return f"write {meant}"
    near = nearest_name(name, available_timezones())
    return f"did you mean {near}?" if near else _GENERAL


def _by_offset(name: str) -> str | None:
    found = _OFFSET.fullmatch(name.strip())
    if not found or not name.strip():
        return None
    hours = int(found[3] or 0) * (-1 if found[2] == "-" else 1)
    base = _MOSCOW_HOURS if (found[1] or "").lower() in ("msk", "мск") else 0
    return _BY_OFFSET.get(base + hours)


def _by_city(name: str) -> str | None:
    words = re.split(r"[\s,()/]+", name.strip().casefold())
    known = next((_BY_CITY[word] for word in words if word in _BY_CITY), None)
    last = re.sub(r"\s+", "_", name.strip().casefold())
    return known or next((zone for zone in sorted(available_timezones()) if zone.casefold().endswith(f"/{last}")), None)
