"""The people behind leads, in few requests."""

import pytest

from relay.accounts.lookups import BATCH_SIZE, fetch_people
from relay.accounts.names import fetch_setup
from relay.amocrm.views import fetched_view

ALL = ("contacts", "company", "responsible")


@pytest.fixture
def account(served):
    served.amocrm.limits.rate = 1000
    return served.amocrm.account


def people(run, client, ids, what=ALL):
    return run(fetch_people(client, [str(id) for id in ids], what))


def test_the_people_behind_a_lead(client, run, account):
    id, _ = account.create("leads", {
        "name": "Кофемашина",
        "company": {"name": "ООО Ромашка", "phone": "+7 495 123-45-67"},
        "contacts": [{"name": "Вера", "email": "vera@example.com", "phone": "+7 916 555-01-87", "Город": "Москва"},
                     {"name": "Олег"}],
    })  # fmt: skip
    found = people(run, client(), [id])[str(id)]
    contact, company = fetched_view("contact", found.contact), fetched_view("company", found.company)
    assert (contact.name, contact.email, contact.phone) == ("Вера", "vera@example.com", "+7 916 555-01-87")
    assert contact.custom["Город"] == "Москва"
    assert [own["name"] for own in found.contacts] == ["Вера", "Олег"]
    assert (company.name, company.phone) == ("ООО Ромашка", "+7 495 123-45-67")
    assert (found.responsible["name"], found.responsible["phone"]) == ("Анна Смирнова", "+79161234567")


def test_the_main_contact_comes_first_in_whatever_order(client, run, account):
    id, _ = account.create("leads", {"contacts": [{"name": "Олег"}, {"name": "Вера"}]})
    for contact in account.records["leads"][id]["_embedded"]["contacts"]:
        contact["is_main"] = not contact["is_main"]
    assert people(run, client(), [id])[str(id)].contact["name"] == "Вера"


def test_a_lead_without_people_and_one_that_does_not_exist(client, run, account):
    id, _ = account.create("leads", {"name": "Одна", "responsible_user_id": 1})
    found = people(run, client(), [id, 999])
    assert list(found) == [str(id)]
    assert (found[str(id)].contact, list(found[str(id)].contacts)) == (None, [])
    assert (found[str(id)].company, found[str(id)].responsible) == (None, None)


def test_many_leads_take_few_requests_and_only_what_was_asked_for(client, run, account, served):
    ids = [account.create("leads", {"contacts": [{"email": f"{n}@example.com"}]})[0] for n in range(2 * BATCH_SIZE)]
    found = people(run, client(rate=(1000, 1000)), ids, ["contacts"])
    assert [fetched_view("contact", found[str(id)].contact).email for id in ids] == [
        f"{n}@example.com" for n in range(2 * BATCH_SIZE)
    ]
    assert served.amocrm.api.request_counts == {"GET /api/v4/leads": 2, "GET /api/v4/contacts": 2}


def test_no_leads_need_no_request(client, run, served):
    assert people(run, client(), []) == {}
    assert not served.amocrm.api.request_counts


def test_names_of_the_account(client, run):
    names = run(fetch_setup(client())).names()
    assert names.pipelines["2116"].statuses["142"] == "Успешно реализовано"
    assert names.users["938348"] == "Пётр Иванов"
    assert names.fields["contact"]["159947"].code == "EMAIL"
