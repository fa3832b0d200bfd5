"""Every text of the pages has its translation, and none is left over; numbers take the right forms."""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import nodes

from relay.model import DeliveryState, Outcome, ReceiptState
from relay.operations.problems import ProblemState
from relay.web.admin.messages import Translator, UiText, choose_language, counted, load_catalogue, message
from relay.web.admin.rendering import environment

ROOT = Path(__file__).parents[4]
PAGES = ROOT / "relay" / "web" / "admin"
TEMPLATES = sorted((PAGES / "templates").iterdir())
OF_TEMPLATES = {"t": 1, "tn": 2}
OF_CODE = {"message": 1, "counted": 2}
OF_TRANSLATORS = {"text": 1, "count": 2}
# What the store knows, and `word` translates.
WORDS = {str(word) for words in (DeliveryState, ReceiptState, Outcome) for word in words}
WORDS |= {str(state) for state in ProblemState} | {"good", "warning", "bad"}
WORDS |= {"inbox", "waiting", "in flight", "closed gates", "silent sources", "problems"}  # of the strip
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
    catalogue = load_catalogue("ru")
    many = {text for one, text in pairs() if one in catalogue}
    assert sorted((all_texts() | WORDS) - catalogue.keys() - many) == []
    assert sorted(catalogue.keys() - all_texts() - WORDS) == []


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
    assert [one for one, _ in pairs() if isinstance(catalogue[one], str) or len(catalogue[one]) != 3] == []
    assert [one for one, form in catalogue.items() if not isinstance(form, str) and one not in dict(pairs())] == []


def test_translations_have_the_same_values_as_their_texts() -> None:
    for text, translated in load_catalogue("ru").items():
        for form in [translated] if isinstance(translated, str) else translated:
            assert set(re.findall(r"{\w+}", form)) == set(re.findall(r"{\w+}", text)), text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_says_anything_that_is_not_translated(path: Path) -> None:
    text = re.sub(r"{#.*?#}|{{.*?}}|{%.*?%}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = re.findall(r'\b(?:title|placeholder|alt|aria-label|data-label|data-done)="([^"]*)"', text)
    shown.append(re.sub(r"<kbd[^>]*>.*?</kbd>|<code[^>]*>.*?</code>|<[^>]*>", " ", text, flags=re.DOTALL))
    words = {word for part in shown for word in re.findall(r"[^\W\d_]{2,}", html.unescape(part))}
    assert words - NAMES == set()


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 событий"), (1, "1 событие"), (2, "2 события"), (4, "4 события"), (5, "5 событий"), (11, "11 событий"),
     (12, "12 событий"), (14, "14 событий"), (21, "21 событие"), (22, "22 события"), (101, "101 событие"),
     (111, "111 событий"), (1_234, "1\N{NARROW NO-BREAK SPACE}234 события")],
)  # fmt: skip
def test_russian_numbers_take_the_form_that_goes_with_them(n: int, said: str) -> None:
    assert Translator("ru").say(counted("{n} event", "{n} events", n)) == said


def test_english_has_two_forms() -> None:
    said = [Translator("en").say(counted("{n} event", "{n} events", n)) for n in (0, 1, 2, 12_345)]
    assert said == ["0 events", "1 event", "2 events", "12,345 events"]


def test_a_message_within_a_message_is_translated_too_and_what_others_said_is_not() -> None:
    inner = message("held")
    assert Translator("ru").say(UiText(text="and {n} more", values={"n": inner})) == "и ещё на решении"
    assert Translator("ru").say("held") == "held"


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
