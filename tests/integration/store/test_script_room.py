"""Every script has room to grow: Lua takes 200 local variables in a function, and refuses a script over that."""

import hashlib
from importlib import import_module
from pkgutil import iter_modules

import pytest
import redis.exceptions

from relay import store as package
from relay.store.scripts import Script

ROOM = 20
BEGIN = "return (function()\n"
MODULES = [import_module(module.name) for module in iter_modules(package.__path__, f"{package.__name__}.")]
ALL = (one for module in MODULES for one in vars(module).values() if isinstance(one, Script))
SCRIPTS = {(one.name, one._parts): one for one in ALL}


def with_locals(script: Script, count: int) -> str:
    assert script.text.count(BEGIN) == 1
    more = "".join(f"local room{n}\n" for n in range(count))
    return script.text.replace(BEGIN, BEGIN + more)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=[name for name, _ in SCRIPTS])
def test_a_script_compiles_with_twenty_local_variables_more(run, store, script):
    text = with_locals(script, ROOM)
    assert run(store.client.script_load(text)) == hashlib.sha1(text.encode()).hexdigest()


def test_one_with_too_many_does_not(run, store):
    with pytest.raises(redis.exceptions.ResponseError, match="more than 200 local variables"):
        run(store.client.script_load(with_locals(Script("accept", "_packed"), 200)))
