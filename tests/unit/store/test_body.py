"""Bodies are compressed where that saves a third, and read as the last release reads them."""

import zlib
from pathlib import Path

import pytest

from relay.store.body import pack, unpack

FOLDER = Path(__file__).parents[2] / "fixtures" / "amocrm"


@pytest.mark.parametrize("times", [1, 10, 100])
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.form")), ids=lambda path: path.stem)
def test_what_was_compressed_reads_as_it_was(path, times):
    body = path.read_bytes() * times
    packed = pack(body)
    assert packed is None or unpack(packed) == body
    if times > 1:
        assert packed is not None
        assert zlib.decompress(packed) == body  # as the release of commit b42e45f does


def test_a_hook_of_two_kilobytes_takes_less_than_a_quarter():
    body = (FOLDER / "lead_won.form").read_bytes()
    assert len(pack(body)) * 4 < len(body)


def test_what_saves_less_than_a_third_stays_as_it_is():
    assert pack(bytes(range(256))) is None
