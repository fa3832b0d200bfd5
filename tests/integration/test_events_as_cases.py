"""`relay events show ID --as-case`: a stored event is printed as a case that `relay test` passes."""

from pathlib import Path

from relay.amocrm.form import encode_form

CONFIG = """\
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks: {books: {type: http, idempotency: honoured, url: "http://books.test/"}}
routes:
  - {name: card, on: add_contact, to: books, body: {name: "{{ contact.name }}", mail: "{{ contact.email }}"}}
"""


def test_a_stored_event_becomes_a_case_without_its_person(relay):
    relay.configure(CONFIG)
    email = {"code": "EMAIL", "values": [{"value": "marfa@mail.example"}]}
    contacts = [{"id": str(id), "name": "Marfa Zaharova", "custom_fields": [email]} for id in (1, 2)]
    (receipt,) = relay.accept(encode_form({"contacts": {"add": contacts}}))
    Path("cases").mkdir()
    for id, count in ((receipt, 2), (f"{receipt}.1", 1)):
        code, text = relay.command("events", "show", id, "--as-case")
        assert code == 0
        assert "Marfa" not in text
        assert "mail.example" not in text
        Path("cases/made.yaml").write_text(text)
        code, printed = relay.command("test")
        assert (code, printed.splitlines()[-1]) == (0, f"{count} case(s): {count} passed, 0 failed")


def test_an_event_that_is_not_there_says_so(relay):
    relay.configure(CONFIG)
    code, printed = relay.command("events", "show", "none.0", "--as-case")
    assert (code, printed) == (
        1,
        "there is no event none.0, or its body is gone: `relay events list` shows what there is",
    )
