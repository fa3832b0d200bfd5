"""Deliveries as a worker has claimed them."""

import pytest

from relay.model import Delivery


@pytest.fixture
def delivery():
    """Make a delivery with a content."""

    def make(content: bytes = b"", **more) -> Delivery:
        fields = {
            "id": "0190a8f2-7c1e-5b8d-9e57-4f0f8d1c2b3a",
            "event_id": "0190a8f2-7c1e-7b8d-9e57-4f0f8d1c2b3a.0",
            "source": "acme",
            "route": "invoice for a won deal",
            "sink": "accounting",
            "content": content,
            "accepted_at": 1_790_000_000_000,
            "created_at": 1_790_000_000_100,
            "attempts": 0,
            "deaths": 0,
            "token": "t1",
            "sending": False,
        }
        return Delivery(**{**fields, **more})

    return make
