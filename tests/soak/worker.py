"""A worker of the relay that asks the soak's own name server. Nothing else differs from `relay worker`."""

import os
import sys
from functools import partial

from celery.__main__ import main

from relay.processes.commands import worker_arguments
from relay.transport import resolver
from relay.transport.name_servers import NameServers

resolver.NameServers = partial(NameServers, [os.environ["SOAK_NAME_SERVER"]])  # type: ignore[assignment,misc]
sys.argv = list(worker_arguments())
main()
