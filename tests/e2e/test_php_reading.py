"""The tables of what PHP makes of odd bodies say what PHP says."""

import http.client
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from relay.processes.ports import free_port
from tests.e2e.test_php_listener import wait_for

pytestmark = pytest.mark.skipif(
    shutil.which("php") is None and not os.environ.get("CI"), reason="needs php-cli: apt-get install php-cli php-curl"
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "php"
FORM = "application/x-www-form-urlencoded"
ROWS = [
    {"content_type": FORM, **row}
    for name in ("forms.json", "multipart.json")
    for row in json.loads((FIXTURES / name).read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def php():
    """Run PHP; return its port."""
    port = free_port()
    script = Path(__file__).parent / "php" / "read.php"
    command = ["php", "-d", "display_errors=0", "-S", f"127.0.0.1:{port}", script]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.get("title", row["body"]))
def test_php_reads_what_the_table_says(php, row):
    connection = http.client.HTTPConnection("127.0.0.1", php, timeout=30)
    connection.request("POST", "/", row["body"].encode(), {"Content-Type": row["content_type"]})
    answer = connection.getresponse().read()
    connection.close()
    assert json.loads(answer) == row["php"]
