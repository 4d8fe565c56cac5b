"""Servers that cannot be used, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.kinds.deployment.status import NOT_KNOWN
from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.deployment.builders import DAEMONS, KIND, probe, spec, state
from tests.support.scripted import HTML, Scripted


async def test_a_server_that_asks_for_a_pause_can_be_reached(server: Scripted, client: CoderClient) -> None:
    server.answer("/buildinfo", {"message": "Slow down."}, status=429)
    found = await probe(client)
    assert (found.usable, found.reason) == (False, Reason.RATE_LIMITED)
    assert state(found, "Reachable") == ("True", Reason.RATE_LIMITED)
    assert state(found, "Authenticated") == ("Unknown", Reason.UNKNOWN)


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (200, HTML, Reason.UNEXPECTED_ANSWER),
        (302, HTML, Reason.UNEXPECTED_ANSWER),
        (200, "{}", Reason.UNEXPECTED_ANSWER),
        (502, HTML, Reason.SERVER_ERROR),
        (500, '{"message": "down"}', Reason.SERVER_ERROR),
        (404, '{"message": "Not here."}', Reason.NOT_FOUND),
    ],
)
async def test_a_server_that_does_not_say_what_it_is_cannot_be_used(
    server: Scripted, client: CoderClient, status: int, text: str, reason: Reason
) -> None:
    server.answer("/buildinfo", status=status, text=text)
    found = await probe(client)
    assert not found.usable
    assert found.reason is reason
    assert state(found, "Reachable") == ("False", reason)
    assert state(found, "Authenticated") == ("Unknown", Reason.UNKNOWN)
    assert found.fields == {**NOT_KNOWN, "circuit": "Open"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_before_it_has_proven_to_be_a_coder_nothing_that_it_says_is_shown(
    server: Scripted, client: CoderClient, status: int
) -> None:
    text = json.dumps({"message": "foreign words", "detail": "foreign words", "validations": [{"field": "foreign"}]})
    server.answer("/buildinfo", status=status, text=text)
    found = await probe(client)
    assert str(status) in found.message
    assert "foreign" not in repr(found)


async def test_where_it_redirects_to_is_told_without_the_path(server: Scripted, client: CoderClient) -> None:
    server.answer("/buildinfo", status=302, headers={"Location": "https://sso.example.com/foreign?words=1"})
    found = await probe(client)
    assert "redirects to https://sso.example.com;" in found.message


@pytest.mark.parametrize("rest", ["?x=", "#x", "/path?x="])
def test_a_stored_url_with_a_query_or_fragment_is_refused(rest: str) -> None:
    with pytest.raises(KindError, match="query or a fragment") as caught:
        KIND.settings(spec(url=f"https://coder.example.com{rest}"), {})
    assert caught.value.reason == Reason.INVALID_SPEC


def test_a_stored_url_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(KindError, match="user name or a password") as caught:
        KIND.settings(spec(url="https://user:hunter2@coder.example.com"), {})
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "text", "authenticated", "reason"),
    [
        (401, '{"message": "API key is invalid."}', "False", Reason.UNAUTHORIZED),
        (403, '{"message": "Forbidden."}', "False", Reason.FORBIDDEN),
        (500, '{"message": "down"}', "Unknown", Reason.SERVER_ERROR),
        (429, '{"message": "Slow down."}', "Unknown", Reason.RATE_LIMITED),
        (200, '{"id": "u1"}', "Unknown", Reason.UNEXPECTED_ANSWER),
    ],
)
async def test_only_a_refusal_says_that_the_token_is_wrong(
    healthy: Scripted, client: CoderClient, status: int, text: str, authenticated: str, reason: Reason
) -> None:
    healthy.answer("/users/me", status=status, text=text)
    found = await probe(client)
    assert not found.usable
    assert found.reason is reason
    assert state(found, "Reachable") == ("True", Reason.ANSWERING)
    assert state(found, "Authenticated") == (authenticated, reason)
    assert found.fields["version"] == "v2.31.0"
    assert ("spec.tokenSecretRef" in found.message) is (reason is Reason.UNAUTHORIZED)


@pytest.mark.parametrize("path", ["/users/me", "/entitlements", "/licenses", "/replicas", DAEMONS, "/workspaceproxies"])
async def test_a_login_page_in_the_middle_of_a_probe_is_an_outage(
    healthy: Scripted, client: CoderClient, path: str
) -> None:
    healthy.answer(path, text=HTML)
    found = await probe(client)
    assert not found.usable
    assert found.reason is Reason.UNEXPECTED_ANSWER
    assert found.fields["circuit"] == "Open"


async def test_a_server_that_is_not_there_is_unreachable(server: Scripted) -> None:
    settings = replace(server.settings, url="http://127.0.0.1:1")
    async with CoderClient(settings) as client:
        found = await probe(client)
    assert found.reason is Reason.UNREACHABLE
    assert state(found, "Reachable") == ("False", Reason.UNREACHABLE)


@pytest.mark.parametrize("reason", [Reason.SECRET_NOT_FOUND, Reason.SECRET_KEY_MISSING, Reason.UNAUTHORIZED])
def test_a_fault_of_a_secret_says_nothing_about_the_server(reason: Reason) -> None:
    found = KIND.unusable(stalled(reason, "create it"))
    assert not found.usable
    assert (found.reason, found.message) == (reason, "create it")
    assert state(found, "Reachable") == ("Unknown", Reason.UNKNOWN)
    assert state(found, "Authenticated") == ("False", reason)


def test_a_bundle_that_cannot_be_read_is_a_fault_of_tls() -> None:
    found = KIND.unusable(errors.TLSFailed("no certificate"))
    assert state(found, "Reachable") == ("False", Reason.TLS_FAILED)
