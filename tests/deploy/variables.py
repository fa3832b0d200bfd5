"""The variables that a deployment may set: the process's own, and those that config/relay.yaml names."""

import re
from typing import Final

from relay.config import environment
from tests.deploy.programs import PROJECT

_CONFIG: Final = re.sub("#.*", "", (PROJECT / "config" / "relay.yaml").read_text())

# Those of the table in its module's docstring.
OWN: Final = frozenset(re.findall(r"`([A-Z][A-Z_]+)`", environment.__doc__ or ""))
# Those that have a default there, which `relay check --strict` refuses.
SECRETS: Final = frozenset(re.findall(r"\$\{([A-Z_]+):-", _CONFIG)) - {"RELAY_SANDBOX_URL"}
