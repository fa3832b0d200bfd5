"""`relay names`: save what an account's pipelines, statuses, users and custom fields are called."""

from pathlib import Path

from relay.accounts.names import fetch_names
from relay.cli import options
from relay.cli.context.account import with_account
from relay.cli.context.configuration import choose_source
from relay.cli.context.environment import command_environ, load_settings
from relay.cli.display.output import print_json, print_message
from relay.config.load import load_sources
from relay.config.names_files import format_names, names_folder
from relay.errors import ConfigError

_NO_STORE = (
    "the account is asked through the relay's store, and none runs in this folder: set REDIS_URL, or write ids "
    "(status_id: 142) for now, start `relay dev`, run this again, and then write the names"
)


def names(source: options.SourceArgument, json: options.JsonOption = False) -> None:
    """Save the account's names of pipelines, statuses, users and custom fields, for use in the configuration."""
    settings = load_settings()
    config_path = settings.config_path
    account = choose_source(load_sources(config_path, environ=command_environ()), source)
    if settings.redis_url is None:  # and `relay dev` does not start while the file has names that it does not know
        raise ConfigError(_NO_STORE)
    fetched = with_account(account, lambda client, _: fetch_names(client))
    path = names_folder(config_path) / f"{source}.yaml"
    changed = _write(path, format_names(source, fetched))
    pipelines, users = len(fetched.pipelines), len(fetched.users)
    fields = sum(len(fields) for fields in fetched.fields.values())
    if json:
        counts = {"pipelines": pipelines, "users": users, "custom_fields": fields}
        print_json({"file": str(path), **counts, "changed": changed})
        return
    unchanged = "" if changed else "; nothing has changed"
    print_message(f"{path}: {pipelines} pipeline(s), {users} user(s), {fields} custom field(s){unchanged}")


def _write(path: Path, text: str) -> bool:
    """Write a file, whole or not at all; return whether its text has changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".yaml.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
    return True
