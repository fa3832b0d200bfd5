"""Variables in the YAML: where values come from, and that those of the environment are never shown."""

import pytest

from relay.config.findings import Findings, Position
from relay.config.variables import Substitution, substitute_variables
from relay.config.yaml import parse
from relay.errors import ConfigError


def filled(text: str, **environ: str) -> Substitution:
    findings = Findings("f.yaml")
    result = substitute_variables(parse(text, findings), environ, findings)
    findings.raise_errors()
    return result


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "value"),
        ("a ${NAME} b ${NAME}", "a value b value"),
        ("${NAME:-default}", "value"),
        ("${MISSING:-default}", "default"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-default}", "default"),
        ("${MISSING:-http://127.0.0.1:8701}/sms", "http://127.0.0.1:8701/sms"),
        ("$${NAME}", "${NAME}"),
        ("$NAME costs $5", "$NAME costs $5"),
    ],
)
def test_variables_are_put_in_place(text: str, value: str) -> None:
    assert filled(f"a: ['{text}']", NAME="value", EMPTY="").value == {"a": [value]}


@pytest.mark.parametrize("environ", [{}, {"GONE": ""}], ids=["missing", "empty"])
def test_a_variable_that_is_not_set_and_has_no_default_is_an_error_at_its_line(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        filled("a: 1\nb: ${GONE}", **environ)
    assert str(caught.value) == (
        "f.yaml:2:4: GONE is not set, or empty: set it in .env or the environment, or write ${GONE:-a default}"
    )


@pytest.mark.parametrize("text", ["${}", "${1A}", "${A:=b}", "${A", "${A:?}"])
def test_what_only_looks_like_a_variable_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"f\.yaml:1:4: \$\{ starts a variable: write \$\{NAME\}"):
        filled(f"a: '{text}'", A="x")


def test_it_is_known_which_values_came_from_the_environment_and_which_from_a_default() -> None:
    result = filled("a: ['${NAME}', '${MISSING:-x}', plain]\nb: ${NAME}", NAME="value")
    assert result.from_environment == {("a", 0): "value", ("b",): "value"}
    assert result.defaulted == {("a", 1): "MISSING"}


def test_a_value_may_hold_what_looks_like_a_variable() -> None:
    """What the environment says is not read again."""
    assert filled("a: ${NAME}", NAME="${OTHER}").value == {"a": "${OTHER}"}


def test_the_environment_s_values_are_masked_in_every_finding() -> None:
    findings = Findings("f.yaml")
    substitute_variables(parse("a: ${NAME}", findings), {"NAME": "hush-hush"}, findings)
    findings.error(Position(1, 1), "saw hush-hush here")
    with pytest.raises(ConfigError, match=r"saw \*\*\* here"):
        findings.raise_errors()


@pytest.mark.parametrize("value", ["key-1234\n", "key-1234\r\n", "key-1234\r", "key-1234 \n", "key-1234\u2028"])
@pytest.mark.parametrize("text", ["a: ${KEY}", "a: 'https://x.example/?apikey=${KEY}'", "a: [{b: 'Token ${KEY}'}]"])
def test_a_key_pasted_with_its_line_end_is_refused_wherever_it_is_used(text: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        filled(text, KEY=value)
    assert str(caught.value).endswith(": KEY has a line break at its end in the environment: set it without")
    assert "key-1234" not in str(caught.value)


def test_so_is_one_with_a_line_break_before_it() -> None:
    with pytest.raises(ConfigError, match="KEY has a line break before it in the environment: set it without"):
        filled("a: ${KEY}", KEY="\nkey-1234")


def test_a_text_of_several_lines_may_come_from_the_environment() -> None:
    assert filled("a: ${TEXT}", TEXT="two\nlines").value == {"a": "two\nlines"}


def test_what_the_sandbox_sets_is_no_variable_to_be_set_by_hand() -> None:
    with pytest.raises(
        ConfigError, match=r"^f\.yaml:1:4: RELAY_SANDBOX_URL is set by `relay dev` and `relay demo` alone"
    ):
        filled("a: ${RELAY_SANDBOX_URL}/books")
