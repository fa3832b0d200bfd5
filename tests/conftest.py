"""What holds for all tests."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

import relay.log_format  # noqa: F401  it configures structlog: a test that captures lines must not be the first to log

# Ten thousand collected tests stay: traversing them again and again takes as long as collecting them.
gc.set_threshold(50_000)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


# A busy machine is no failure: no test is about time. In CI hypothesis has a profile of its own that says so too.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:
    settings.load_profile("local")
