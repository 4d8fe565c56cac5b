"""Tokens stay in the memory of the process no longer than they are needed."""

from __future__ import annotations

import gc
import itertools
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from coder_enterprise.page.access import authority, gate, sessions
from coder_enterprise.page.access.modes import Mode
from coder_enterprise.page.access.remembered import Remembered
from coder_enterprise.page.access.sessions import Sessions
from tests.support.page import Served, Shown
from tests.support.people import Browser
from tests.support.waiting import wait_for

numbers = itertools.count()

pytestmark = pytest.mark.asyncio


async def review(request: web.Request) -> web.Response:
    """As Kubernetes answers for who may everything."""
    return web.json_response({"status": {"authenticated": True, "user": {"username": "alice"}, "allowed": True}})


@pytest_asyncio.fixture
async def browser(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    """Of a page for which minutes are moments."""
    monkeypatch.setattr(gate, "SWEEP", 0.05)
    monkeypatch.setattr(authority, "HOLDS", 0.5)
    app = web.Application()
    app.router.add_post("/{path:.*}", review)
    async with (
        TestServer(app) as cluster,
        Served(shown, Configuration(host=str(cluster.make_url("")).rstrip("/")), mode=Mode.KUBERNETES) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield Browser(http, url)


@pytest.fixture
def token() -> str:
    """What is left of other tests has another one."""
    return f"token-{next(numbers)}"


def keepers(token: str) -> list[str]:
    """What holds it: answers of Kubernetes, and sessions."""
    found = gc.get_objects()
    answers = ["answers" for each in found if isinstance(each, Remembered) and token in each._known]
    held = [session.token for each in found if isinstance(each, Sessions) for session in each._sessions.values()]
    return [*answers, *["sessions" for each in held if each == token]]


async def test_whoever_signs_out_leaves_no_token(browser: Browser, token: str) -> None:
    session = await browser.session(token)
    assert keepers(token) == ["answers", "sessions"]
    csrf = await browser.csrf(session)
    assert (await browser.post("/logout", session, csrf=csrf)).status_code == 303
    assert keepers(token) == []


async def test_whoever_comes_no_more_leaves_no_token(
    browser: Browser, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "IDLE", 0.0)
    await browser.session(token)
    await wait_for(lambda: not keepers(token), "nothing holds it")


async def test_whoever_sends_a_token_once_leaves_none(browser: Browser, token: str) -> None:
    await browser.get("/objects", Authorization=f"Bearer {token}")
    await wait_for(lambda: not keepers(token), "nothing holds it")
