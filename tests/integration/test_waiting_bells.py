"""How many bells wait at a real broker is known, whoever asks."""

from celery import Celery

from relay.bells import Ringer, broker_settings
from relay.store.keys import INBOX, JOBS


def ringer(server, namespace, store) -> Ringer:
    app = Celery("relay")
    app.conf.update(broker_settings(server.url, namespace))
    return Ringer(app, store)


def test_all_that_were_published_wait_until_they_are_taken(run, server, namespace, store) -> None:
    one, other = (ringer(server, namespace, store) for _ in range(2))
    assert run(other.count_waiting()) == 0
    assert run(one.ring([INBOX, JOBS, "sink:books"]))
    assert run(other.count_waiting()) == 3
    run(store.client.delete(f"{namespace}:route"))
    assert run(one.count_waiting()) == 1
    run(store.client.delete(f"{namespace}:drain", f"{namespace}:_kombu.binding.route"))
