"""Who may subscribe: login and hash, session or token; the wrong are refused, counted, and in no log."""

import json
import time

import pytest
from starlette.requests import Request

from relay.config.api_users import ApiUser
from relay.model import Account
from relay.secret import SecretStr
from relay.store.access import WRONG_PER_LOGIN, WRONG_PER_PEER, Access
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.jwt import mint_jwt

V1, V2, V4 = "/private/api/v2/json/webhooks/list", "/api/v2/webhooks", "/api/v4/webhooks"
AUTH = "/private/api/auth.php?type=json"
RIGHT = {"USER_LOGIN": "crm@example.com", "USER_HASH": "crm-secret-hash"}
WRONG = {"USER_LOGIN": "crm@example.com", "USER_HASH": "guessed-hash"}


@pytest.mark.parametrize("path", [V1, V2, V4])
def test_each_way_in_is_open_to_each_generation(api, path):
    nobody = api.unknown()
    assert nobody("GET", path, params=RIGHT).status_code == 200
    assert nobody("GET", path, headers={"Authorization": "Bearer crm-secret-token"}).status_code == 200
    session = nobody("POST", AUTH, data=RIGHT).cookies["session_id"]
    assert nobody("GET", path, cookies={"session_id": session}).status_code == 200


@pytest.mark.parametrize("path", [V1, V2, V4])
@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"params": WRONG},
        {"params": {"USER_LOGIN": "nobody@example.com", "USER_HASH": "crm-secret-hash"}},
        {"params": {"USER_LOGIN": "shop@example.com", "USER_HASH": "crm-secret-hash"}},
        {"params": {"USER_LOGIN": "crm@example.com"}},
        {"params": {"USER_LOGIN": "", "USER_HASH": ""}},
        {"params": {"USER_HASH": "crm-secret-hash"}},
        {"params": {"USER_LOGIN": "crm@example.com", "USER_HASH": "crm-secret-token"}},
        {"headers": {"Authorization": "Bearer guessed-token"}},
        {"headers": {"Authorization": "Bearer "}},
        {"headers": {"Authorization": "Bearer crm-secret-hash"}},
        {"headers": {"Authorization": "Basic Y3JtOmNybQ=="}},
        {"headers": {"Authorization": "Bearer guessed-token"}, "params": RIGHT},
        {"cookies": {"session_id": "guessed"}},
    ],
)
def test_the_wrong_are_refused(api, path, proof):
    answer = api.unknown()("GET", path, **proof)
    assert answer.status_code == 401
    if path == V1:
        assert answer.json()["response"]["error_code"] == 110
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["title"], answer.json()["status"]) == ("Unauthorized", 401)


@pytest.mark.parametrize("path", [V2 + "/subscribe", V4, "/private/api/v2/json/webhooks/subscribe"])
def test_the_unknown_change_nothing(api, path):
    body = {"destination": "http://app.example", "settings": ["add_lead"]}
    assert api.unknown()("POST", path, json=body).status_code == 401
    assert api.records() == []


@pytest.mark.parametrize(("method", "how"), [("POST", "data"), ("POST", "json"), ("POST", "params"), ("GET", "params")])
def test_auth_php_gives_a_session(api, method, how):
    answer = api.unknown()(method, AUTH, **{how: RIGHT})
    assert answer.status_code == 200
    response = answer.json()["response"]
    assert response["auth"] is True
    assert response["accounts"] == [
        {"id": "7039099", "name": "acme", "subdomain": "acme", "language": "ru", "timezone": "Europe/Moscow"}
    ]
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("session_id=")
    assert {"httponly", "path=/", "samesite=lax", "max-age=900"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [(WRONG, 401, 110), ({"USER_LOGIN": "crm@example.com"}, 401, 110), ({"USER_LOGIN[a]": "b"}, 400, 400)],
)
def test_auth_php_refuses_in_its_own_words(api, fields, status, code):
    answer = api.unknown()("POST", AUTH, data=fields)
    response = answer.json()["response"]
    assert (answer.status_code, response["auth"], response["error_code"]) == (status, False, code)
    assert "set-cookie" not in answer.headers


def test_auth_php_takes_what_php_s_curl_makes_of_an_array(api):
    parts = {name: (None, value) for name, value in RIGHT.items()}
    answer = api.unknown()("POST", AUTH, files=parts)
    assert (answer.status_code, answer.json()["response"]["auth"]) == (200, True)
    cut = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = api.unknown()("POST", AUTH, data=b'--x\r\nContent-Disposition: form-data; name="USER_L', headers=cut)
    assert (answer.status_code, answer.json()["response"]["error_code"]) == (400, 400)


@pytest.mark.parametrize("query", [{}, {"USER_LOGIN": "crm@example.com"}, WRONG])
def test_auth_php_by_get_refuses_as_by_post(api, query):
    answer = api.unknown()("GET", AUTH, params=query)
    response = answer.json()["response"]
    assert (answer.status_code, response["auth"], response["error_code"]) == (401, False, 110)
    assert "set-cookie" not in answer.headers


def test_a_session_is_its_user_s(api):
    shop = {"USER_LOGIN": "branch@example.com", "USER_HASH": "branch-secret-hash"}
    session = api.unknown()("POST", AUTH, data=shop).cookies.get_dict()
    body = {"destination": "http://app.example", "settings": ["add_lead"]}
    assert api.unknown()("POST", V4, json=body, cookies=session).status_code == 201
    assert (api.records(), len(api.by("branch").records())) == ([], 1)


def test_a_session_ends_when_its_user_s_hash_changes(store, namespace, run):
    def authenticator(hash: str) -> Authenticator:
        user = ApiUser("a", SecretStr(hash), SecretStr("token"), "acme", Account(), "UTC")
        return Authenticator(lambda: (user,), Access(store.client, namespace))

    async def ask(authenticator: Authenticator, session: str) -> ApiUser:
        headers = [(b"cookie", f"session_id={session}".encode())]
        return await authenticator.authenticate(Request({"type": "http", "headers": headers, "query_string": b""}))

    user = run(authenticator("first").by_hash("a", "first", "peer"))
    session = run(authenticator("first").open_session(user))
    assert run(ask(authenticator("first"), session)) == user
    with pytest.raises(ApiError, match="over"):
        run(ask(authenticator("second"), session))


def test_a_user_without_a_hash_or_token_cannot_be_guessed_empty(store, namespace, run):
    user = ApiUser("a", SecretStr(""), SecretStr(""), "acme", Account(), "UTC")
    authenticator = Authenticator(lambda: (user,), Access(store.client, namespace))
    with pytest.raises(ApiError):
        run(authenticator.by_hash("a", "", "peer"))
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer ")], "query_string": b""}
    with pytest.raises(ApiError):
        run(authenticator.authenticate(Request(scope)))


def authenticate_by(token: str, *users: ApiUser, access: Access):
    scope = {"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())], "query_string": b""}
    return Authenticator(lambda: users, access).authenticate(Request(scope))


def test_a_jwt_ends_at_its_time_and_when_its_user_s_token_changes(store, namespace, run):
    first, second = (ApiUser("a", SecretStr("h"), SecretStr(token), "acme", Account(), "UTC") for token in "12")
    access, now = Access(store.client, namespace), int(time.time())
    assert run(authenticate_by(mint_jwt(first, now, 60), second, first, access=access)) == first
    with pytest.raises(ApiError, match="wrong login, hash or token"):
        run(authenticate_by(mint_jwt(first, now, 60), second, access=access))
    with pytest.raises(ApiError, match="the token has expired") as expired:
        run(authenticate_by(mint_jwt(first, now - 60, 60), first, access=access))
    assert expired.value.status == 401


def test_a_jwt_of_a_user_without_a_token_is_no_way_in(store, namespace, run):
    user = ApiUser("a", SecretStr("h"), SecretStr(""), "acme", Account(), "UTC")
    for token in (mint_jwt(user, int(time.time()), 60), "a.b.", "..", "a.b.c"):
        with pytest.raises(ApiError):
            run(authenticate_by(token, user, access=Access(store.client, namespace)))


def test_expired_jwts_are_no_wrong_attempts(api):
    user = ApiUser("crm@example.com", SecretStr(""), SecretStr("crm-secret-token"), "acme", Account(), "UTC")
    expired = {"Authorization": f"Bearer {mint_jwt(user, 1_000_000_000, 60)}"}
    statuses = {api("GET", V4, headers=expired).status_code for _ in range(WRONG_PER_PEER + 1)}
    assert statuses == {401}
    assert api("GET", V4).status_code == 200


def test_after_too_many_wrong_hashes_a_login_must_wait(api):
    """The right hash is refused then too; other logins, tokens and sessions are not touched."""
    nobody = api.unknown()
    session = nobody("POST", AUTH, data=RIGHT).cookies.get_dict()
    for _ in range(WRONG_PER_LOGIN):
        assert nobody("GET", V2, params=WRONG).status_code == 401
    for proof in (WRONG, RIGHT):
        answer = nobody("GET", V2, params=proof)
        assert answer.status_code == 403
        assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    by_v1 = nobody("GET", V1, params=RIGHT)
    assert (by_v1.status_code, by_v1.json()["response"]["error_code"]) == (401, 111)
    login = nobody("POST", AUTH, data=RIGHT)
    assert (login.status_code, login.json()["response"]["error_code"]) == (401, 111)
    other = {"USER_LOGIN": "shop@example.com", "USER_HASH": "shop-secret-hash"}
    assert nobody("GET", V2, params=other).status_code == 200
    assert nobody("GET", V2, cookies=session).status_code == 200
    assert api("GET", V2).status_code == 200


def _from(peer: str) -> dict[str, str]:
    """Return the header by which a proxy on this machine, which is trusted, says who asks."""
    return {"X-Forwarded-For": peer}


def test_wrong_tokens_are_limited_by_peer_and_shut_nobody_out(api):
    """A stranger's 300 wrong tokens: further wrong ones of his wait; no right one does, not even from where he is."""
    guess = {"Authorization": "Bearer guessed-token"}
    statuses = [api("GET", V4, headers=guess).status_code for _ in range(WRONG_PER_PEER + 1)]
    assert statuses == [401] * WRONG_PER_PEER + [429]
    answer = api("GET", V4, headers=guess)
    assert (answer.status_code, 0 < int(answer.headers["retry-after"]) <= 60) == (429, True)
    assert api("GET", V4, headers={**guess, **_from("192.0.2.1")}).status_code == 401
    assert api("GET", V4).status_code == 200
    assert api("GET", V4, headers=_from("192.0.2.1")).status_code == 200
    assert api.unknown()("GET", V4, params=RIGHT).status_code == 200


def test_wrong_hashes_lock_a_login_for_their_own_peer_only(api):
    """A stranger who knows a login sends wrong hashes; its user goes on from elsewhere, by hash and by auth.php."""
    nobody, stranger = api.unknown(), _from("203.0.113.9")
    for _ in range(WRONG_PER_LOGIN):
        assert nobody("GET", V2, params=WRONG, headers=stranger).status_code == 401
    assert nobody("GET", V2, params=RIGHT, headers=stranger).status_code == 403
    for elsewhere in ({}, _from("203.0.113.10"), _from("2001:db8::1")):
        assert nobody("GET", V2, params=RIGHT, headers=elsewhere).status_code == 200
        assert nobody("POST", AUTH, data=RIGHT, headers=elsewhere).status_code == 200


def test_the_addresses_of_one_ipv6_network_are_one_peer(api):
    nobody = api.unknown()
    statuses = [
        nobody("GET", V2, params=WRONG, headers=_from(f"2001:db8:1:2::{n:x}")).status_code
        for n in range(1, WRONG_PER_LOGIN + 2)
    ]
    assert statuses == [401] * WRONG_PER_LOGIN + [403]
    assert nobody("GET", V2, params=WRONG, headers=_from("2001:db8:1:3::1")).status_code == 401


def test_right_hashes_are_not_refused_for_wrong_ones_of_other_logins(api):
    nobody = api.unknown()
    for n in range(WRONG_PER_PEER):
        guess = {"USER_LOGIN": f"{n}@example.com", "USER_HASH": "guessed-hash"}
        assert nobody("GET", V2, params=guess).status_code == 401
    assert nobody("GET", V2, params={"USER_LOGIN": "x@example.com", "USER_HASH": "g"}).status_code == 429
    assert nobody("GET", V2, params=RIGHT).status_code == 200


def test_only_a_trusted_proxy_is_believed_about_who_asks(store, namespace, run):
    """The peers that uvicorn found count: whoever it is that stands in no header."""
    user = ApiUser("a", SecretStr("right"), SecretStr("token"), "acme", Account(), "UTC")
    authenticator = Authenticator(lambda: (user,), Access(store.client, namespace))

    def ask(peer: str | None, hash: str) -> ApiUser:
        headers = [(b"x-forwarded-for", b"192.0.2.99")]
        scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}
        query = f"USER_LOGIN=a&USER_HASH={hash}".encode()
        return run(authenticator.authenticate(Request({**scope, "query_string": query})))

    for peer in ("198.51.100.1", "unix:", None):
        for _ in range(WRONG_PER_LOGIN):
            with pytest.raises(ApiError, match="wrong login"):
                ask(peer, "wrong")
        with pytest.raises(ApiError, match="too many"):
            ask(peer, "right")
    with pytest.raises(ApiError, match="too many"):
        ask("::ffff:198.51.100.1", "right")
    assert ask("198.51.100.2", "right") == user


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_a_session_cookie_is_secure_behind_a_proxy_that_ends_tls(api, scheme, secure):
    answer = api.unknown()("POST", AUTH, data=RIGHT, headers={"X-Forwarded-Proto": scheme})
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_nothing_of_it_is_in_the_log(api):
    nobody = api.unknown()
    session = nobody("POST", AUTH, data=RIGHT).cookies["session_id"]
    nobody("GET", V2, params=RIGHT)
    nobody("GET", V2, params=WRONG)
    nobody("GET", V2, cookies={"session_id": session})
    nobody("GET", V2, headers={"Authorization": "Bearer guessed-token"})
    body = {"destination": "http://app.example/secret-path", "settings": ["add_lead"]}
    assert api("POST", V4, json=body).status_code == 201
    log = api.log.read_text()
    assert {"access.refused", "subscription.made"} <= {json.loads(line)["event"] for line in log.splitlines()}
    for secret in ("crm@example.com", "crm%40", "secret-hash", "guessed", "secret-token", "secret-path", session):
        assert secret not in log


def test_whatever_the_host_is_called(api):
    assert api("GET", V4, headers={"Host": "anything.amocrm.ru"}).status_code == 200
