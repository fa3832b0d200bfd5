"""Secrets wherever they stand: servers that quote all they are sent, and every place in which a person may read it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl

import pytest

from relay.cli import app
from tests.e2e.harness import HookSender, lead_hook, run_relay, until

SECRETS = {
    "BOT": "123456:AA-b0t-t0ken",
    "KEY": "k3y/of+the query",
    "HOOK": "h00k-path",
    "WHOLE_KEY": "wh0le-key",
    "BEARER": "b3arer-t0ken",
    "PASSWORD": "p4ss w0rd",
    "WORD": "mean",
    "LETTER": "e",
    "SMS": "sms-s3cr3t",
}
CONFIG = """
sources:
  acme: {{type: amocrm, token: test-token}}
sinks:
  bot: {{type: http, url: "{url}/bot${{BOT}}/sendMessage", probe: {{}}}}
  query: {{type: http, url: "{url}/send?apikey=${{KEY_IN_ADDRESS}}&format=json", probe: {{}}}}
  path: {{type: http, url: "{url}/in/${{HOOK}}", probe: {{}}}}
  whole: {{type: http, url: "${{WHOLE}}", probe: {{}}}}
  bearer: {{type: http, url: "{url}/b", auth: {{bearer: "${{BEARER}}"}}, probe: {{}}}}
  basic: {{type: http, url: "{url}/c", auth: {{basic: {{username: relay, password: "${{PASSWORD}}"}}}}, probe: {{}}}}
  word: {{type: http, url: "{url}/d", auth: {{bearer: "${{WORD}}"}}, probe: {{}}}}
  letter: {{type: http, url: "{url}/e", auth: {{header: {{name: X-Key, value: "${{LETTER}}"}}}}, probe: {{}}}}
  sms:
    type: sms
    url: "{url}/sms?key=${{SMS}}"
    headers: {{X-Api-Key: "${{BEARER}}"}}
    form: {{to: "{{{{ sms.phone }}}}"}}
    success_if: {{status: 200}}
    rejected_if: {{status: 400}}
    probe_url: "{url}/sms?key=${{SMS}}"
routes:
  - name: all
    on: add_lead
    to: [bot, query, path, whole, bearer, basic, word, letter]
    body: {{lead: "{{{{ lead.id }}}}"}}
  - name: in the route's own address
    on: add_lead
    to: bearer
    path: /bot${{BOT}}/sendMessage
    query: {{apikey: "${{KEY}}"}}
    body: {{lead: "{{{{ lead.id }}}}"}}
  - {{name: texts, on: add_lead, to: sms, phone: "+79161234567", text: hello}}
"""


class Quoting(BaseHTTPRequestHandler):
    """Answers 400 and quotes address, parameters and headers, alone and in sentences."""

    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(self.path)
        values = [value for _, value in parse_qsl(self.path.partition("?")[2])]
        said = {"address": self.path, "values": values, "headers": dict(self.headers), "hint": "did you mean it?"}
        body = json.dumps(said).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815  its name in http.server

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def quoting() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Quoting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_no_secret_is_shown_anywhere_and_words_are_left_whole(
    quoting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit):
            app(arguments)
        printed = capsys.readouterr()
        return printed.out + printed.err

    variables = {
        **SECRETS,
        "WHOLE": f"{quoting}/hooks?token={SECRETS['WHOLE_KEY']}",
        "KEY_IN_ADDRESS": "k3y%2Fof%2Bthe+query",
    }
    hook = lead_hook(1)
    (tmp_path / "hook.form").write_bytes(hook)
    with run_relay(tmp_path, CONFIG.format(url=quoting), **variables) as processes:
        sender = HookSender(processes)
        sender.post_until_taken(hook)
        sender.close()
        until(lambda: processes.log("worker").count("delivery.attempted") == 10, what="ten attempts")
        for name, value in processes.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        shown = {
            "check": command("check"),
            "explain": command("explain", "hook.form"),
            "explain, json": command("explain", "hook.form", "--json", "--reveal"),
            "probe": command("sinks", "probe"),
            "deliveries": command("deliveries", "list", "--json"),
            "doctor": command("doctor"),
        }
        for delivery in json.loads(shown["deliveries"]):
            story = (
                command("deliveries", "show", delivery["id"]),
                command("deliveries", "show", delivery["id"], "--json"),
            )
            shown[f"{delivery['sink']} {delivery['route']}"] = "\n".join(story)
        shown["logs"] = processes.log("worker") + processes.log("web")

    assert any("/bot123456:AA-b0t-t0ken/sendMessage" in path for path in Quoting.seen), "it is sent as it is"
    assert len(shown) == 6 + 10 + 1
    written = [value for name, value in SECRETS.items() if name not in ("WORD", "LETTER")]
    for place, text in shown.items():
        for secret in (*written, "k3y%2Fof", "AA-b0t-t0ken", "Bearer mean", '"mean"'):
            assert secret not in text, f"{secret} in {place}"
    assert "did you *** it?" in shown["word all"]
    for sink in ("bot", "letter", "bearer"):
        assert "did you mean it?" in shown[f"{sink} all"]
    assert '"url": "' + quoting + '/***/sendMessage"' in shown["explain"]
    assert '/send?apikey=***&format=json"' in shown["explain"]
