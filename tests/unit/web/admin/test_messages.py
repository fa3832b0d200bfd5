"""Every text of the pages has its translation, and none is left over; numbers take the right forms."""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jinja2 import nodes

from relay.amocrm.event_names import ENTITIES
from relay.model import DeliveryState, Outcome, ReceiptState
from relay.operations import acts
from relay.operations.problems import ProblemState
from relay.store.actions import ActionState
from relay.store.acts import Act
from relay.store.record_memory import Kind
from relay.timefmt import format_duration
from relay.translation.messages import (
    DURATION_UNITS,
    KNOWN,
    SIZE_UNITS,
    Translator,
    UiText,
    choose_language,
    counted,
    load_catalogue,
    message,
)
from relay.web.admin.audit import ACTS
from relay.web.admin.rendering import environment
from relay.web.admin.times import show_minute

ROOT = Path(__file__).parents[4]
PAGES = ROOT / "relay" / "web" / "admin"
TRANSLATION = ROOT / "relay" / "translation"
TEMPLATES = sorted((PAGES / "templates").iterdir())
OF_TEMPLATES = {"t": 1, "tn": 2}
OF_CODE = {"message": 1, "counted": 2}
OF_TRANSLATORS = {"text": 1, "count": 2}
# What the store knows, and `word` translates.
WORDS = {str(word) for words in (DeliveryState, ReceiptState, Outcome) for word in words}
WORDS |= {str(state) for state in ProblemState} | {"good", "warning", "bad"}
WORDS |= {str(state) for state in ActionState}
WORDS |= {str(kind) for kind in Kind}
WORDS |= {"inbox", "waiting", "in flight"}  # of the strip
WORDS |= {*DURATION_UNITS, *SIZE_UNITS}
WORDS |= {
    *ENTITIES,
    "delivery",
    "sink",
    "source",
    "store",
    "subscription",
    "action",
    "problem",
    "person",
    "receipt",
    "event",
}
WORDS |= {*ACTS, "API user", "older names"}  # of the audit
NOT_ON_PAGES = ("other type", "exists", "another kind", "stopped", "touched")  # of moves and of bulk actions' items
NAMES = {"relay", "amoCRM", "curl", "YAML", "JSON", "Enter"}  # the same in every language


def texts_of_template(path: Path) -> Iterator[str]:
    tree = environment().parse(path.read_text(encoding="utf-8"))
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in OF_TEMPLATES:
            for argument in call.args[: OF_TEMPLATES[call.node.name]]:
                assert isinstance(argument, nodes.Const), f"{path.name}:{call.lineno}: write the text out"
                yield argument.value


def texts_of_code(path: Path) -> Iterator[str]:
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for argument in _translated(call):
            if isinstance(argument, ast.Constant):
                yield argument.value


def _translated(call: ast.AST) -> list[ast.expr]:
    match call:
        case ast.Call(func=ast.Name(id=name), args=args):
            return args[: OF_CODE.get(name, 0)]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="translator"), attr=name), args=args):
            return args[: OF_TRANSLATORS.get(name, 0)]
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="translator"), attr=name), args=args):
            return args[: OF_TRANSLATORS.get(name, 0)]
    return []


def all_texts() -> set[str]:
    found = {text for path in TEMPLATES for text in texts_of_template(path)}
    return found | {text for path in PAGES.rglob("*.py") for text in texts_of_code(path)}


def test_every_text_is_translated_and_every_translation_is_of_a_text() -> None:
    catalogue, known = load_catalogue("ru"), lines_of_operations()
    many = {text for one, text in pairs() if one in catalogue}
    assert sorted((all_texts() | WORDS) - catalogue.keys() - many) == []
    assert sorted(catalogue.keys() - all_texts() - WORDS - known) == []


def lines_of_operations() -> set[str]:
    texts = [(TRANSLATION / "ru" / name).read_text(encoding="utf-8") for name in KNOWN]
    return {line for text in texts for line in yaml.safe_load(text)}


def test_lines_of_operations_are_translated_as_they_are_written_there() -> None:
    names = ("operations", "planning", "config", "store", "sinks", "transport", "rendering", "routing", "accounts")
    folders = [*(ROOT / "relay" / name for name in names), ROOT / "workers"]
    files = [path for folder in folders for kind in ("*.py", "*.lua") for path in folder.rglob(kind)]
    code = " ".join(path.read_text(encoding="utf-8") for path in [*files, ROOT / "relay" / "retrying.py"])
    said = re.sub(r'"\s*f?"', "", code)  # what is written in two lines
    words = set(re.findall(r"[A-Za-z'-]{4,}", said))  # of a line that is joined of parts they are all that is sure
    for line in lines_of_operations():
        own = re.sub(r"{\w+}|`[^`]*`", " ", line)
        assert [word for word in re.findall(r"[A-Za-z'-]{4,}", own) if word not in words] == [], line


def test_what_acts_answer_is_known_in_every_language() -> None:
    russian = Translator("ru")
    lines = [*acts._DONE.values(), *acts._ALLOWED.values(), *acts._REFUSED.values()]
    lines += [f"it is held: {line}" for line in acts._ALLOWED.values()] + ["due now, but its sink is paused"]
    elsewhere = {acts._ALLOWED[Act.MOVE], *(acts._REFUSED[code] for code in NOT_ON_PAGES)}
    assert [line for line in lines if russian.known(line) is None and not any(one in line for one in elsewhere)] == []
    assert russian.known("it is held: only a held delivery can be confirmed") == (
        "сейчас: на решении. подтвердить можно только отложенную на решение"
    )
    assert russian.known("401: wrong key") is None


def pairs() -> Iterator[tuple[str, str]]:
    """Yield the two English texts of everything that is counted."""
    for path in PAGES.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if len(found := [one.value for one in _translated(call) if isinstance(one, ast.Constant)]) == 2:
                yield found[0], found[1]
    for path in TEMPLATES:
        for call in environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "tn":
                yield call.args[0].as_const(), call.args[1].as_const()


def test_what_is_counted_has_three_forms_in_russian() -> None:
    catalogue = load_catalogue("ru")
    counted_texts = dict(pairs())
    assert [one for one in counted_texts if isinstance(catalogue[one], str) or len(catalogue[one]) != 3] == []
    assert [one for one, form in catalogue.items() if not isinstance(form, str) and one not in counted_texts] == []


def test_translations_have_the_same_values_as_their_texts() -> None:
    for text, translated in load_catalogue("ru").items():
        for form in [translated] if isinstance(translated, str) else translated:
            values, given = set(re.findall(r"{\w+}", form)), set(re.findall(r"{\w+}", text))
            assert values == given or (text in lines_of_operations() and values < given), text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_says_anything_that_is_not_translated(path: Path) -> None:
    text = re.sub(r"{#.*?#}|{{.*?}}|{%.*?%}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = re.findall(r'\b(?:title|placeholder|alt|aria-label|data-label|data-done)="([^"]*)"', text)
    shown.append(re.sub(r"<kbd[^>]*>.*?</kbd>|<code[^>]*>.*?</code>|<[^>]*>", " ", text, flags=re.DOTALL))
    words = {word for part in shown for word in re.findall(r"[^\W\d_]{2,}", html.unescape(part))}
    assert words - NAMES == set()


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 попыток"), (1, "1 попытка"), (2, "2 попытки"), (4, "4 попытки"), (5, "5 попыток"), (11, "11 попыток"),
     (12, "12 попыток"), (14, "14 попыток"), (21, "21 попытка"), (22, "22 попытки"), (101, "101 попытка"),
     (111, "111 попыток"), (1_234, "1\N{NARROW NO-BREAK SPACE}234 попытки")],
)  # fmt: skip
def test_russian_numbers_take_the_form_that_goes_with_them(n: int, said: str) -> None:
    assert Translator("ru").say(counted("{n} attempt", "{n} attempts", n)) == said


def test_a_time_in_a_text_stays_markup_and_all_else_is_escaped() -> None:
    said = Translator("ru").text("kept until {time}", time=show_minute(0))
    assert said.startswith("хранится до <time datetime=")
    assert said.endswith("</time>")
    assert "<b>" not in Translator("en").text("{id}: <b>{time}", id="<b>", time=show_minute(0))


def test_english_has_two_forms() -> None:
    said = [Translator("en").say(counted("{n} attempt", "{n} attempts", n)) for n in (0, 1, 2, 12_345)]
    assert said == ["0 attempts", "1 attempt", "2 attempts", "12,345 attempts"]


def test_a_message_within_a_message_is_translated_too_and_what_others_said_is_not() -> None:
    inner = message("held")
    assert Translator("ru").say(UiText(text="and {n} more", values={"n": inner})) == "и ещё на решении"
    assert Translator("ru").say("held there") == "held there"


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en", "ru", "en"),
        ("de", "fr-FR, ru;q=0.5", "ru"),
        ("../../etc", "*", "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_first_that_the_browser_asks_for(cookie, accepted, language) -> None:
    assert choose_language(cookie, accepted) == language


def test_each_act_that_the_audit_may_have_is_known_to_its_page() -> None:
    code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "relay").rglob("*.py"))
    scripts = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "relay" / "store" / "lua").iterdir())
    noted = set(re.findall(r"acts\.note\(\s*\"([^\"]+)\"|self\._note\(\"([^\"]+)\"", code))
    written = set(re.findall(r"write_audit\('(\w+) ?'", scripts))
    assert ({one or other for one, other in noted} | written) - {*ACTS} == set()


def test_every_size_and_duration_goes_through_the_one_formatter() -> None:
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        shown = [one for one in re.findall(r"{{(.*?)}}", text) if re.search(r"_ms\b|bytes\b(?!\")", one)]
        bare = [one for one in shown if not re.search(r"\|(duration|size)\b|number\(|^ t\(\"[^{]*$", one)]
        assert bare == [], path.name
        assert "filesizeformat" not in text
    importers = [path.name for path in PAGES.rglob("*.py") if "format_duration" in path.read_text(encoding="utf-8")]
    assert importers == ["rendering.py"]


@pytest.mark.parametrize(
    ("ms", "english", "russian"),
    [
        (53, "53ms", "53 мс"),
        (1500, "1.5s", "1,5 с"),
        (108_000, "1m 48s", "1 мин 48 с"),
        (90_000_000, "1d 1h", "1 д 1 ч"),
    ],
)
def test_durations_are_in_the_language_of_the_page(ms: int, english: str, russian: str) -> None:
    said = format_duration(ms)
    assert (Translator("en").duration(said), Translator("ru").duration(said)) == (english, russian)


@pytest.mark.parametrize(
    ("size", "english", "russian"),
    [(0, "0 B", "0 Б"), (999, "999 B", "999 Б"), (1000, "1.0 kB", "1,0 кБ"), (3_600_000, "3.6 MB", "3,6 МБ"),
     (12 * 10**15, "12000.0 TB", "12000,0 ТБ")],
)  # fmt: skip
def test_sizes_are_in_the_language_of_the_page(size: int, english: str, russian: str) -> None:
    assert (Translator("en").size(size), Translator("ru").size(size)) == (english, russian)


REASONS = (
    "401 Unauthorized: the credentials are wrong: check the sink's auth",
    "may have been applied (idempotency: none), look there before sending it again: no answer in time",
    "cancelled while it was put off by root: не нужно (action 2d)",
    "gave up after 5 attempts: they closed the connection",
    "cancelled by anna: wrong price; an earlier attempt may have arrived",
    "body: 8 bytes without a single '=', not a form",
    "full in about 9 days at this rate",
)


@pytest.mark.parametrize("reason", REASONS)
def test_why_a_delivery_is_as_it_is_is_told_in_russian_where_the_relay_says_it(reason: str) -> None:
    said = Translator("ru").known(reason)
    assert said
    plain = re.sub(r"\(.*?\)|: (wrong|не).*|Unauthorized", "", said)  # what they said, and people
    assert set(re.findall("[a-z]{4,}", plain)) <= {"auth", "body", "anna", "root"}
