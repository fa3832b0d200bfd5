"""Make the files of `relay init`. Pure, but for the templates that it reads and the secrets that it draws."""

import re
import secrets
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

from relay.scaffold.answers import Answers

CONFIG, ENV, ENV_EXAMPLE, UNIT = "config/relay.yaml", ".env", ".env.example", "relay.service"
CASES: Final = "config/cases/relay.yaml"
_IN_CASES: Final = {  # of variables that must be more than a text
    "BOOKS_URL": "https://books.example.com/api",
    "UNISENDER_LIST_ID": "20547",
    "TELEGRAM_TOKEN": "123456:stands-for-the-token",
    "TELEGRAM_CHAT_ID": "5",
    "SMTP_HOST": "smtp.example.com",
    "SMTP_SENDER": "relay@example.com",
    "SMTP_RECIPIENT": "anna@example.com",
    "MOYSKLAD_ORGANIZATION": "00000000-0000-4000-8000-000000000001",
    "MOYSKLAD_SERVICE": "00000000-0000-4000-8000-000000000002",
}
_COMMENT: Final = re.compile(r"^(?P<code>.*\S)?(?P<gap> *)#en (?P<en>.*?) \|ru (?P<ru>.*)$", re.MULTILINE)
_COMMENT_COLUMN: Final = 49  # of those behind code
_VARIABLE: Final = re.compile(r"^[^#\n]*?\$\{([A-Z_0-9]+)\}", re.MULTILINE)
_ENV_HEAD: Final = {
    "en": "# Read by every command that is started in this folder. Nobody else should be able to read it.",
    "ru": "# Читается каждой командой, запущенной в этой папке. Никто другой не должен мочь его прочитать.",
}
_DRAWN: Final = ("RELAY_ADMIN_TOKEN", "RELAY_SECRET_KEY")
_ENV_HOST: Final = {
    "en": "# Where web listens: this machine only; a proxy that ends TLS (nginx, Caddy) stands before it.",
    "ru": "# Где слушает web: только на этой машине; перед ним прокси с TLS (nginx, Caddy).",
}
_ENV_SECRETS: Final = {
    "en": "# Of config/relay.yaml, each ${NAME} in it.",
    "ru": "# Для config/relay.yaml: каждое ${ИМЯ} из него.",
}


def hook_variable(account: str) -> str:
    """Return the variable with the token of an account's hooks."""
    return f"{_prefix(account)}_HOOK_TOKEN"


def _prefix(account: str) -> str:
    name = account.upper().replace("-", "_")
    return name if name[0].isalpha() else f"AMO_{name}"


def make_config(answers: Answers) -> str:
    """Return the configuration: a source, and each sink with a route to it."""
    sinks, routes, _ = zip(*(_sink(name) for name in answers.sinks), strict=True)
    text = f"{_template('head.yaml')}\nsinks:\n{''.join(sinks)}\nroutes:\n{''.join(routes)}"
    values = {"URL": answers.url, "SOURCE": answers.account, "ACCOUNT": answers.account, "LANGUAGE": answers.language}
    return _translate(_fill(text, {**values, "VARIABLE": _prefix(answers.account)}), answers.language)


def make_cases(answers: Answers, config: str) -> str:
    """Return cases of the configuration: at least one of each route."""
    cases = "".join(_sink(name)[2] for name in answers.sinks)
    variables = {name: _IN_CASES.get(name, "in-cases") for name in variables_of(config)}
    lines = "".join(f"  {name}: {value}\n" for name, value in variables.items())
    text = f"{_template('cases_head.yaml')}variables:\n{lines}\ncases:\n{_fill(cases, _IN_CASES)}"
    return _translate(text, answers.language)


def _translate(text: str, language: str) -> str:
    return _COMMENT.sub(lambda found: f"{_before_comment(found)}# {found[language]}", text)


def _before_comment(found: re.Match[str]) -> str:
    """Return what stands before a comment, so long that it is below the others whatever was filled in."""
    return found["gap"] if found["code"] is None else f"{found['code']} ".ljust(_COMMENT_COLUMN)


def _sink(name: str) -> tuple[str, str, str]:
    """Return the sink of a template, its routes and their cases."""
    sinks, _, rest = _template(f"{name}.yaml").removeprefix("sinks:\n").partition("\nroutes:\n")
    routes, _, cases = rest.partition("\ncases:\n")
    return f"{sinks}\n", f"{routes}\n", cases


def variables_of(config: str) -> list[str]:
    """Return the variables that a configuration names outside its comments."""
    return list(dict.fromkeys(_VARIABLE.findall(config)))


def draw_secrets(answers: Answers) -> dict[str, str]:
    """Draw what nobody else gives: the token in the hook's address, and the operator's."""
    drawn = {name: secrets.token_hex(32) for name in _DRAWN}
    return {hook_variable(answers.account): secrets.token_hex(16), **drawn}


def make_env(answers: Answers, config: str, values: Mapping[str, str]) -> str:
    """Return the lines of `.env`, with the values there are."""

    def lines() -> Iterator[str]:
        language = answers.language
        yield _ENV_HEAD[language]
        yield _ENV_HOST[language]
        yield from ("RELAY_HOST=127.0.0.1", "PORT=8000", "RELAY_WORKERS=1")
        yield from (f"{name}={values.get(name, '')}" for name in _DRAWN)
        yield _ENV_SECRETS[language]
        yield from (f"{name}={values.get(name, '')}" for name in variables_of(config))

    return "".join(f"{line}\n" for line in lines())


def make_unit(user: str, folder: str, program: str) -> str:
    """Return the systemd unit that keeps `relay up` running."""
    return _fill(_template(UNIT), {"USER": user, "FOLDER": folder, "PROGRAM": program})


def _fill(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _template(name: str) -> str:
    return (files("relay.scaffold") / "templates" / name).read_text(encoding="utf-8")
