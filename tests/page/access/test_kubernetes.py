"""The mode `kubernetes`, against a real API server: tokens, sessions, and what each person may see."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
from structlog.testing import capture_logs

from coder_enterprise.page.access import limits
from coder_enterprise.page.access.modes import Mode
from tests.support.page import Served, Shown
from tests.support.people import HTML, SAME, Browser, People, cookie_of
from tests.support.waiting import INTERVAL, TIMEOUT

pytestmark = pytest.mark.asyncio


async def test_who_is_nobody_is_led_to_sign_in_and_sees_nothing(browser: Browser) -> None:
    answer = await browser.get("/objects?q=a")
    assert answer.status_code == 303
    where = httpx2.URL(answer.headers["Location"])
    assert (where.path, where.params["next"]) == ("/login", "/objects?q=a")
    assert "group-of-mine" not in answer.text
    form = await browser.get("/login?next=/objects")
    assert 'name="token"' in form.text
    assert "group-of-mine" not in form.text


async def test_a_program_without_a_token_is_told_what_to_send(browser: Browser) -> None:
    answer = await browser.http.get("/objects")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_person_sees_what_they_may_list_and_nothing_of_the_rest(browser: Browser, people: People) -> None:
    bearer = f"Bearer {people.token('alice')}"
    answer = await browser.get("/objects", Authorization=bearer)
    assert answer.status_code == 200
    assert "group-of-mine" in answer.text
    for foreign in ("group-of-others", people.foreign.name, "licence-of-others"):
        assert foreign not in answer.text, foreign


async def test_who_may_nothing_sees_nothing(browser: Browser, people: People) -> None:
    answer = await browser.get("/objects", Authorization=f"Bearer {people.token('nobody')}")
    assert answer.status_code == 200
    for foreign in ("group-of-mine", "group-of-others", "licence-of-others", people.foreign.name):
        assert foreign not in answer.text, foreign


@pytest.mark.parametrize("said", ["Bearer nonsense", "Bearer", "Basic YWxpY2U6c2VjcmV0", "Bearer a b", "Bearer ..."])
async def test_what_is_no_token_of_this_cluster_is_refused(browser: Browser, said: str) -> None:
    answer = await browser.http.get("/objects", headers={"Authorization": said})
    assert answer.status_code == 401


async def test_a_right_that_is_lost_is_lost_here_too(browser: Browser, people: People) -> None:
    people.add("bob")
    people.allow("bob", "list")
    session = await browser.session(people.token("bob"))
    assert "group-of-mine" in (await browser.get("/objects", Cookie=session)).text
    people.allow("bob", "watch")
    assert "group-of-mine" not in (await browser.get("/objects", Cookie=session)).text


async def test_a_session_shows_what_its_token_shows(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    answer = await browser.get("/objects", Cookie=session)
    assert "group-of-mine" in answer.text
    assert "group-of-others" not in answer.text


async def test_the_cookie_is_for_this_page_alone_and_for_no_script(browser: Browser, people: People) -> None:
    answer = await browser.sign_in(people.token("alice"), "/objects")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/objects")
    cookie = cookie_of(answer)
    assert (cookie.key, cookie["secure"], cookie["httponly"]) == ("coder-page", True, True)
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/", "")
    over_https = cookie_of(await browser.sign_in(people.token("alice"), Origin=browser.url.replace("http:", "https:")))
    assert over_https.key == "__Host-coder-page"


async def test_a_session_of_https_is_none_in_the_cookie_that_a_neighbour_can_set(
    browser: Browser, people: People
) -> None:
    origin = browser.url.replace("http:", "https:")
    strict = cookie_of(await browser.sign_in(people.token("alice"), Origin=origin))
    assert (await browser.get("/objects", Cookie=f"{strict.key}={strict.value}")).status_code == 200
    assert (await browser.get("/objects", Cookie=f"coder-page={strict.value}")).status_code == 303
    plain = cookie_of(await browser.sign_in(people.token("alice")))
    assert (await browser.get("/objects", Cookie=f"__Host-coder-page={plain.value}")).status_code == 303


async def test_the_token_is_in_no_cookie_no_answer_and_no_log(browser: Browser, people: People) -> None:
    token = people.token("alice")
    with capture_logs() as logs:
        answer = await browser.sign_in(token)
        refused = await browser.sign_in(f"{token}x")
        shown = await browser.get("/objects", Cookie=answer.headers["set-cookie"].split(";")[0])
    said = json.dumps(logs, default=str) + "".join(f"{each.headers}{each.text}" for each in (answer, refused, shown))
    assert token not in said
    assert token.split(".")[2] not in said
    assert any(entry.get("act") == "sign in" and entry["user"] == people.user("alice") for entry in logs)


async def test_signing_in_makes_a_new_session_whatever_the_browser_brings(browser: Browser, people: People) -> None:
    planted = "coder-page=coder-page.planted"
    answer = await browser.sign_in(people.token("alice"), Cookie=planted)
    assert "planted" not in answer.headers["set-cookie"]
    assert (await browser.get("/objects", Cookie=planted)).status_code == 303
    first = cookie_of(answer).OutputString([])
    second = cookie_of(await browser.sign_in(people.token("nobody"), Cookie=first)).OutputString([])
    assert first != second
    assert (await browser.get("/objects", Cookie=first)).status_code == 303


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_after_signing_in_nobody_is_led_elsewhere(browser: Browser, people: People, next_: str) -> None:
    assert (await browser.sign_in(people.token("alice"), next_)).headers["Location"] == "/"
    form = await browser.get(f"/login?next={next_}")
    assert "evil.example" not in form.text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}])
async def test_no_other_site_signs_somebody_in(browser: Browser, people: People, headers: dict[str, str]) -> None:
    answer = await browser.http.post("/login", data={"token": people.token("alice")}, headers=HTML | headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_who_signs_out_is_nobody_from_then_on(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    page = (await browser.get("/objects", Cookie=session)).text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    answer = await browser.http.post("/logout", headers=SAME | {"Cookie": session}, data={"csrf": "other"})
    assert answer.status_code == 403
    answer = await browser.http.post("/logout", headers=SAME | {"Cookie": session}, data={"csrf": csrf})
    assert answer.status_code == 303
    assert (await browser.get("/objects", Cookie=session)).status_code == 303


async def test_a_token_that_is_revoked_ends_its_session(browser: Browser, people: People) -> None:
    people.add("carol")
    people.allow("carol", "list")
    session = await browser.session(people.token("carol"))
    assert (await browser.get("/objects", Cookie=session)).status_code == 200
    people.remove("carol")

    async with asyncio.timeout(TIMEOUT):  # Kubernetes itself remembers for some seconds what a token was
        while (await browser.get("/objects", Cookie=session)).status_code == 200:
            await asyncio.sleep(INTERVAL)
    assert (await browser.get("/objects", Cookie=session)).status_code == 303


async def test_who_tries_too_many_tokens_waits(browser: Browser, people: People) -> None:
    for number in range(limits.ATTEMPTS):
        assert (await browser.sign_in(f"guess-{number}")).status_code == 401
    answer = await browser.sign_in(people.token("alice"))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


async def test_who_comes_by_a_link_of_another_site_gets_to_their_session(browser: Browser) -> None:
    """Their cookie is not sent with the first request, for it is the other site's."""
    answer = await browser.get("/objects?q=%3Cb%3E", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/objects?q=%3Cb%3E"' in answer.text
    again = await browser.get("/objects", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="navigate")
    assert again.status_code == 303


async def test_where_kubernetes_cannot_be_asked_nothing_is_shown(shown: Shown) -> None:
    shown.put("CoderGroup", "group-of-mine")
    async with (
        Served(shown, mode=Mode.KUBERNETES) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=HTML) as http,
    ):
        answer = await http.get("/objects", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert "group-of-mine" not in answer.text
    assert "127.0.0.1:9" not in answer.text
