"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

import relay.log_format  # noqa: F401  it configures structlog: a test that captures lines must not be the first to log

# A busy machine is no failure: no test is about time. In CI hypothesis has a profile of its own that says so too.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:
    settings.load_profile("local")
