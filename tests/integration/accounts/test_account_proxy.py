"""The account is called through the proxy of its `api`, to renew a token too."""

import pytest

from relay.config.proxy import parse_proxy
from relay.errors import AccountUnavailable
from tests.proxy import FakeProxy

USERS = "/api/v4/users"


@pytest.fixture
def proxy(run):
    opened = FakeProxy(credentials="relay:s3c-r3t").open()
    yield run(opened.__aenter__())
    run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize("oauth", [False, True])
def test_every_call_goes_through_it(run, client, served, proxy, oauth):
    assert run(client(oauth=oauth, proxy=parse_proxy(proxy.url)).get(USERS))
    renewal = [f"POST {served.url}/oauth2/access_token"] if oauth else []
    assert proxy.asked == [*renewal, f"GET {served.url}{USERS}"]


def test_a_proxy_that_wants_another_password_is_named_and_not_taken_for_the_account(run, client, proxy):
    account = client(proxy=parse_proxy(proxy.url.replace("s3c-r3t", "wr0ng")))
    with pytest.raises(AccountUnavailable, match=r"the proxy .*: 407 Proxy Authentication Required") as caught:
        run(account.get(USERS))
    assert "wr0ng" not in str(caught.value)
