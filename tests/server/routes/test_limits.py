"""The rate limit: what is counted, what is told, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.types import Message, Scope
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from coder_enterprise.server.routes import limits
from coder_enterprise.server.routes.app import Application, create_app
from coder_enterprise.server.routes.limits import RateLimit, SlidingWindow
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.settings import Settings
from tests.support.api import SITE, Client
from tests.support.provisioners import serve_url
from tests.support.serving import serving

LIMIT = 3


@pytest.fixture
def app(services: Services) -> Application:
    return create_app(services, rate_limit=LIMIT)


@pytest.fixture
def caller(nobody: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Early in a minute that does not end."""
    monkeypatch.setattr("coder_enterprise.server.routes.limits.time.time", lambda: 6_000_001.0)
    return nobody


async def test_each_answer_tells_what_is_left(caller: Client) -> None:
    answers = [await caller.get("/buildinfo") for _ in range(LIMIT)]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    assert {answer.headers["X-RateLimit-Reset"] for answer in answers} == {"6000061"}


async def test_more_is_refused_with_how_long_to_wait(caller: Client) -> None:
    for _ in range(LIMIT):
        await caller.get("/buildinfo")
    refused = await caller.get("/buildinfo")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert "3 requests a minute" in refused.json()["message"]
    assert "X-Coder-Request-Id" in refused.headers


async def test_another_path_has_a_limit_of_its_own(caller: Client) -> None:
    for _ in range(LIMIT + 1):
        await caller.get("/buildinfo")
    assert (await caller.get("/users/first")).status_code == 404


async def test_it_comes_before_the_session(caller: Client) -> None:
    statuses = [(await caller.get("/users")).status_code for _ in range(LIMIT + 1)]
    assert statuses == [401, 401, 401, 429]


async def test_what_is_not_the_api_is_not_limited(caller: Client) -> None:
    answers = [await caller.get(f"{SITE}/healthz") for _ in range(LIMIT + 1)]
    assert {answer.status_code for answer in answers} == {200}


async def test_below_one_there_is_no_limit(services: Services) -> None:
    async with Client(create_app(services, rate_limit=-1)) as caller:
        answers = [await caller.get("/buildinfo") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[0].headers


async def test_logins_have_a_limit_of_their_own(services: Services) -> None:
    async with Client(create_app(services, rate_limit=1000)) as caller:
        answer = await caller.post("/users/login", json={})
    assert answer.headers["X-RateLimit-Limit"] == "60"


def test_the_window_slides() -> None:
    window = SlidingWindow()
    for _ in range(10):
        window.count("key", 30.0)
    assert window.count("key", 75.0) == pytest.approx(1 + 10 * 0.75)
    assert window.count("key", 200.0) == 1


def test_there_are_so_many_counters_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that share a counter are refused together: a full table lets nothing through."""
    monkeypatch.setattr(limits, "COUNTERS", 8)
    window = SlidingWindow()
    for number in range(800):
        window.count(str(number), 1.0)
    assert len(window._current) == 8
    assert window.count("one more", 1.0) > 2


PSK = "a-long-pre-shared-key"
SCIM_KEY = "a-key-of-the-identity-provider"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With secrets that people chose."""
    return replace(settings, scim_auth_header=SCIM_KEY, provisioner_daemon_psk=PSK)


@pytest.mark.parametrize("rate_limit", [10_000, -1])
@pytest.mark.parametrize(
    ("path", "header"),
    [
        (f"{SITE}/scim/v2/Users/{{}}", "Authorization"),
        ("/scim/v2/Users?startIndex={}", "Authorization"),
        ("/organizations/default/provisionerdaemons/serve?provisioner=echo&name=x{}", "Coder-Provisioner-Daemon-PSK"),
        ("/workspaceproxies/me/register?x={}", "Coder-External-Proxy-Token"),
    ],
)
async def test_guesses_at_a_secret_are_few_whatever_the_path(
    services: Services, monkeypatch: pytest.MonkeyPatch, path: str, header: str, rate_limit: int
) -> None:
    monkeypatch.setattr(limits, "GUESS_LIMIT", 5)
    async with Client(create_app(services, rate_limit)) as caller:
        statuses = [(await _ask(caller, path.format(number), {header: f"guess-{number}"})) for number in range(7)]
    assert statuses == [401] * 5 + [429] * 2


async def _ask(caller: Client, path: str, headers: dict[str, str]) -> int:
    method = "POST" if "register" in path else "GET"
    return (await caller.request(method, path, headers=headers, json={} if method == "POST" else None)).status_code


async def test_guesses_at_the_old_password_are_few_without_a_limit_of_requests(
    services: Services, monkeypatch: pytest.MonkeyPatch, member: Client
) -> None:
    """Whoever has found a session open."""
    monkeypatch.setattr(limits, "GUESS_LIMIT", 3)
    async with Client(create_app(services, -1), member.token) as caller:
        guesses = [{"old_password": f"guess-{number}", "password": "correct-Horse-8-battery"} for number in range(5)]
        statuses = [(await caller.put("/users/me/password", json=guess)).status_code for guess in guesses]
    assert statuses == [400] * 3 + [429] * 2


async def test_who_has_the_secret_is_no_guesser(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GUESS_LIMIT", 5)
    async with Client(create_app(services)) as caller:
        headers = {"Authorization": f"Bearer {SCIM_KEY}"}
        answers = [await caller.get(f"{SITE}/scim/v2/Users", headers=headers) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}


async def test_guesses_over_websockets_count(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GUESS_LIMIT", 2)
    statuses = []
    async with serving(create_app(services)) as address:
        for number in range(4):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(
                    serve_url(address), additional_headers={"Coder-Provisioner-Daemon-PSK": f"guess-{number}"}
                ):
                    pass
            statuses.append(refused.value.response.status_code)
    assert statuses == [401, 401, 429, 429]


@pytest.mark.parametrize("name", ["me", "ann", "9d4a3f8e-7c1b-4a0e-8f7e-2f3a1b5c6d7e"])
async def test_passwords_have_one_limit_at_all_paths(
    services: Services, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(limits, "PASSWORD_LIMIT", 3)
    async with Client(create_app(services, rate_limit=1000)) as caller:
        for _ in range(3):
            await caller.post("/users/login", json={})
        assert (await caller.put(f"/users/{name}/password", json={})).status_code == 429


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1", True),
    ],
)
async def test_a_sender_is_an_address_or_a_network_of_ipv6(first: str, second: str, *, together: bool) -> None:
    statuses: list[int] = []

    async def app(scope: Scope, receive: object, send: object) -> None:
        statuses.append(200)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    limited = RateLimit(app, limit=1)
    for host in (first, second):
        scope: Scope = {"type": "http", "path": "/api/v2/x", "client": (host, 1), "method": "GET", "headers": []}
        await limited(scope, None, send)  # type: ignore[arg-type]
    assert statuses == [200, 429 if together else 200]
