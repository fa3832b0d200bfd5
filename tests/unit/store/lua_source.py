"""Read the scripts' source: which names they unpack, which keys and fields they name."""

import re
from collections.abc import Iterator
from importlib.resources import files

SCRIPTS = {path.name.removesuffix(".lua"): path.read_text() for path in (files("relay.store") / "lua").iterdir()}


def unpacked(script: str, row: str) -> list[list[str]]:
    """Return the names that each `local … = unpack(row)` gives to the values of a row."""
    found = re.findall(rf"local ([\w, ]+) = unpack\({row}\)", SCRIPTS[script])
    return [names.split(", ") for names in found]


def places(script: str) -> dict[str, int]:
    """Return the constants that say where in a row a value is: `local STATE, REASON = 4, 5`."""
    found = re.findall(r"local ([A-Z_, ]+) = ([\d, ]+)", SCRIPTS[script])
    return {
        name: int(place) for names, at in found for name, place in zip(names.split(", "), at.split(", "), strict=True)
    }


def parameters(script: str, function: str) -> list[str]:
    """Return the names of a function's parameters."""
    (found,) = re.findall(rf"local function {function}\(([\w,\s]*)\)", SCRIPTS[script])
    return re.split(r",\s+", found)


def tables(script: str, name: str) -> dict[str, list[str]]:
    """Return the lists of texts in a table of them: `local FIELDS = { r = {'a', 'b'}, … }`."""
    (body,) = re.findall(rf"local {name} = {{\n(.*?)\n}}", SCRIPTS[script], re.DOTALL)
    return {key: re.findall(r"'([^']*)'", row) for key, row in re.findall(r"(\w+) = {(.*?)}", body, re.DOTALL)}


def members(script: str, variable: str) -> set[str]:
    """Return the names that are read of a map: `variable.name`."""
    return set(re.findall(rf"\b{variable}\.(\w+)", SCRIPTS[script]))


def key_kinds(script: str) -> set[str]:
    """Return how the keys begin that a script names, up to the first colon."""
    return {name.partition(":")[0] for name in re.findall(r"P \.\. '([^']+)'", SCRIPTS[script])}


def counters(script: str) -> set[str]:
    """Return the first words of the counters that a script counts under."""
    return {name.partition("|")[0] for name in re.findall(r"\bcount\('([^']+)'", SCRIPTS[script])}


def fields(script: str) -> Iterator[tuple[str, str]]:
    """Yield every field of a hash that the commands of a script name, with the kind of its key ("*": of any record)."""
    text = SCRIPTS[script]
    for found in re.finditer(r"\bcall\('(\w+)', ", text):
        key, *arguments = _arguments(text[found.end() :])
        step, most = _FIELDS_AMONG_ARGUMENTS.get(found[1], (1, 0))
        for argument in arguments[::step][:most]:
            for field in _fields_in(text, argument):
                yield _kind(text[: found.start()], key), field


# Of each command: every how many-th argument after the key is a field, and how many of them are.
_FIELDS_AMONG_ARGUMENTS = {
    "HSET": (2, None),
    "HSETNX": (1, 1),
    "HGET": (1, 1),
    "HMGET": (1, None),
    "HDEL": (1, None),
    "HEXISTS": (1, 1),
    "HINCRBY": (1, 1),
}


def _arguments(text: str) -> list[str]:
    """Split a text at the commas that stand in no parenthesis and no quotes, up to the parenthesis that ends it."""
    arguments, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == "'"
        if not quoted:
            if letter in ")}]" and depth == 0:
                break
            depth += (letter in "({[") - (letter in ")}]")
        if letter == "," and depth == 0 and not quoted:
            arguments.append("")
        else:
            arguments[-1] += letter
    return [argument.strip() for argument in arguments]


def _fields_in(text: str, argument: str) -> list[str]:
    """Return the field that an argument is, or those that are put into the list that it unpacks."""
    if not argument.startswith("unpack("):
        return _literals([argument])
    name = argument.removeprefix("unpack(").removesuffix(")")
    read = f"'HMGET', record, {argument}" in text or f"'HMGET', P .. 'r:' .. receipt.id, {argument}" in text
    lists = [_arguments(text[found.end() :]) for found in re.finditer(rf"\b{name} = {{", text)]
    return [
        *(field for items in lists for field in _literals(items if read else items[::2])),
        *re.findall(rf"\badd\({name}, '([^']*)'", _PARTS + text),
        *re.findall(rf"\b{name}\[#{name} \+ 1\] = '([^']*)'", text),
        *re.findall(rf"\b{name}\[9\], {name}\[10\].* = '([^']*)'", text),
    ]


def _literals(items: list[str]) -> list[str]:
    return [found[1] for item in items if (found := re.match("'([^']*)'", item))]


def _kind(before: str, key: str) -> str:
    """Return the kind of a key: as it is written, or as it was last given to a variable before."""
    if key.startswith("P .. kind"):
        return "*"
    if written := re.match(r"P \.\. '(\w+:?)", key):
        return written[1]
    if key.startswith("records"):
        return "subscriptions:"
    if key.startswith("find_record"):
        return "r:"
    if key == "gate.key":
        return "gate:"
    given = re.findall(rf"local (?:\w+, )*?{key}(?:, \w+)* = [^\n]*", _PARTS + before)
    names, expressions = given[-1].removeprefix("local ").split(" = ", 1)
    return _kind("", _arguments(expressions)[names.split(", ").index(key)])


_PARTS = "".join(text for name, text in SCRIPTS.items() if name.startswith("_"))
