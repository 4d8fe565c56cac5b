"""CoderDeployment: its probe turns every answer of every server, also the bad ones, into a condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.base import DomainCondition, KindError, Probe, SecretKeyRef, stalled
from coder_enterprise.kinds.deployment import (
    CREDENTIAL_EXPIRY,
    LICENSE_EXPIRY,
    NOT_KNOWN,
    PROXIES,
    PROXIES_HEALTHY,
    REPLICAS,
    REPLICAS_HEALTHY,
    DeploymentKind,
    DeploymentSpec,
)
from coder_enterprise.kinds.reasons import Reason
from tests.support.scripted import HTML, NO_ROUTE, NOT_FOUND, TOKEN, Scripted
from tests.support.structural import problems

KIND: Final = DeploymentKind()
ORGANIZATION: Final = "0e0e0e0e-0000-4000-8000-000000000000"
DAEMONS: Final = f"/organizations/{ORGANIZATION}/provisionerdaemons"
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]

Body = dict[str, Any]


def spec(**fields: Any) -> DeploymentSpec:
    known = {"url": "https://coder.example.com", "tokenSecretRef": {"name": "coder-token"}}
    return DeploymentSpec.model_validate(known | fields)


def feature(entitlement: str = "entitled", *, enabled: bool = True) -> Body:
    return {"entitlement": entitlement, "enabled": enabled}


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def license_until(moment: datetime) -> Body:
    return {"id": 1, "uuid": "x", "claims": {"license_expires": moment.timestamp()}}


@pytest.fixture
def healthy(server: Scripted) -> Scripted:
    """A licensed server of today."""
    server.answer("/buildinfo", {"version": "v2.31.0"})
    server.answer("/users/me", {"id": "u1", "username": "operator", "roles": [{"name": "owner"}]})
    features = {"template_rbac": feature(), "audit_log": feature("not_entitled", enabled=False)}
    server.answer("/entitlements", {"features": features, "has_license": True})
    server.answer("/licenses", [license_until(in_days(10))])
    server.answer("/replicas", [{"id": "r1", "hostname": "coder-0", "region_id": 999, "error": ""}])
    server.answer("/organizations/default", {"id": ORGANIZATION, "name": "coder", "is_default": True})
    server.answer(DAEMONS, [{"id": "p1", "status": "idle"}])
    proxies = [{"id": "1", "name": "primary"}, {"id": "2", "name": "east", "status": {"status": "ok"}}]
    server.answer("/workspaceproxies", {"regions": proxies})
    return server


async def probe(client: CoderClient) -> Probe:
    found = await KIND.probe(client, Directory(client))
    shown = {key: value for key, value in found.fields.items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []
    return found


def condition(found: Probe, type_: str) -> DomainCondition:
    return next(item for item in found.conditions if item.type == type_)


def state(found: Probe, type_: str) -> tuple[str, Reason]:
    item = condition(found, type_)
    return item.status, item.reason


# A server that is well


async def test_a_healthy_server_is_told_in_full(healthy: Scripted, client: CoderClient) -> None:
    found = await probe(client)
    assert found.usable
    assert found.reason is Reason.CONNECTED
    assert found.message == f"Coder v2.31.0 at {healthy.url} answers to operator"
    assert {item.type: (item.status, str(item.reason)) for item in found.conditions} == {
        "Reachable": ("True", "Answering"),
        "Authenticated": ("True", "TokenAccepted"),
        "Licensed": ("True", "Licensed"),
        "ReplicasHealthy": ("True", "ReplicasHealthy"),
        "ProvisionersAvailable": ("True", "ProvisionersSeen"),
    }
    assert found.features == {"audit_log": False, "template_rbac": True}
    licence = found.fields["license"]
    assert licence["valid"] is True
    assert licence["daysLeft"] == 10
    assert {key: value for key, value in found.fields.items() if key != "license"} == {
        "wireProfile": "codersdk",
        "version": "v2.31.0",
        "identity": {"url": healthy.url, "username": "operator", "roles": ["owner"]},
        "circuit": "Closed",
        "features": found.features,
        "replicas": [{"hostname": "coder-0", "region": 999}],
        "replicasHealthy": "1/1",
        "provisionerDaemons": 1,
        "proxiesHealthy": "1/1",
    }


async def test_two_probes_of_a_server_at_rest_say_the_same(healthy: Scripted, client: CoderClient) -> None:
    assert await probe(client) == await probe(client)


async def test_a_server_without_enterprise_features_is_usable(server: Scripted, client: CoderClient) -> None:
    server.answer("/buildinfo", {"version": "v2.4.0+abc"})
    server.answer("/users/me", {"id": "u1", "username": "operator", "roles": None})
    server.answer("/organizations/default", {"message": "Invalid UUID."}, status=400)
    server.answer("/users/me/organizations", [{"id": ORGANIZATION, "name": "acme"}])
    found = await probe(client)
    assert found.usable
    assert found.features is None
    for type_ in ("Licensed", "ReplicasHealthy", "ProvisionersAvailable"):
        assert state(found, type_) == ("Unknown", Reason.NOT_SERVED)
        assert "Route not found" in condition(found, type_).message


async def test_documented_lists_are_read_as_real_objects_are(healthy: Scripted, client: CoderClient) -> None:
    healthy.answer("/workspaceproxies", [{"regions": [{"id": "2", "name": "east", "healthy": True}]}])
    healthy.answer(DAEMONS, [{"id": "p1", "updated_at": {"time": in_days(0).isoformat(), "valid": True}}])
    found = await probe(client)
    assert found.fields["proxiesHealthy"] == "1/1"
    assert found.fields["provisionerDaemons"] == 1


async def test_null_lists_are_empty(healthy: Scripted, client: CoderClient) -> None:
    for path in ("/licenses", "/replicas", DAEMONS, "/workspaceproxies"):
        healthy.answer(path, None)
    healthy.answer("/entitlements", {"features": None, "errors": None, "warnings": None, "has_license": True})
    found = await probe(client)
    assert found.usable
    assert state(found, "ProvisionersAvailable") == ("False", Reason.NO_PROVISIONERS)
    assert found.fields["license"] == {"valid": True}
    assert found.fields["features"] is None
    assert found.fields["proxiesHealthy"] is None


# Parts that are not well


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, {"message": "High availability is a Premium feature."}, Reason.NOT_SERVED),
        (404, NO_ROUTE, Reason.NOT_SERVED),
        (404, NOT_FOUND, Reason.NOT_SERVED),
        (400, {"message": "No."}, Reason.NOT_SERVED),
        (500, {"message": "An internal error."}, Reason.SERVER_ERROR),
        (429, {"message": "Slow down."}, Reason.RATE_LIMITED),
        (200, [{"hostname": 5}], Reason.UNEXPECTED_ANSWER),
    ],
)
async def test_a_part_that_gives_no_answer_is_unknown_and_says_why(
    healthy: Scripted, client: CoderClient, status: int, body: Any, reason: Reason
) -> None:
    healthy.answer("/replicas", body, status=status)
    found = await probe(client)
    assert found.usable
    assert state(found, "ReplicasHealthy") == ("Unknown", reason)
    assert found.fields["replicas"] is None
    assert found.fields["replicasHealthy"] is None
    assert not {REPLICAS, REPLICAS_HEALTHY} & found.figures.keys()


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_licences_that_cannot_be_read_leave_the_date_out(
    healthy: Scripted, client: CoderClient, status: int
) -> None:
    healthy.answer("/licenses", {"message": "No."}, status=status)
    found = await probe(client)
    assert state(found, "Licensed") == ("True", Reason.LICENSED)
    assert found.fields["license"] == {"valid": True}


async def test_features_are_not_known_when_the_server_does_not_tell(healthy: Scripted, client: CoderClient) -> None:
    healthy.answer("/entitlements", {"message": "An internal error."}, status=500)
    found = await probe(client)
    assert found.features is None
    assert found.fields["features"] is None
    assert found.fields["license"] is None
    assert state(found, "Licensed") == ("Unknown", Reason.SERVER_ERROR)


async def test_a_server_without_a_licence_says_so(healthy: Scripted, client: CoderClient) -> None:
    features = {"template_rbac": feature("not_entitled", enabled=False)}
    healthy.answer("/entitlements", {"features": features, "has_license": False})
    found = await probe(client)
    assert state(found, "Licensed") == ("False", Reason.UNLICENSED)
    assert found.fields["license"] == {"valid": False}
    assert found.features == {"template_rbac": False}


async def test_a_grace_period_is_told_in_the_servers_words(healthy: Scripted, client: CoderClient) -> None:
    entitlements = {
        "features": {"template_rbac": feature("grace_period")},
        "has_license": True,
        "warnings": ["Your license expired."],
    }
    healthy.answer("/entitlements", entitlements)
    healthy.answer("/licenses", [license_until(in_days(-3))])
    found = await probe(client)
    assert state(found, "Licensed") == ("True", Reason.GRACE_PERIOD)
    assert condition(found, "Licensed").message == "Your license expired."
    assert found.fields["license"]["daysLeft"] == 0


@pytest.mark.parametrize(("days", "left"), [(0.1, 1), (0.9, 1), (1.5, 2), (-0.5, 0), (-30, 0)])
async def test_the_days_of_a_licence_are_counted_up(
    healthy: Scripted, client: CoderClient, days: float, left: int
) -> None:
    healthy.answer("/licenses", [license_until(in_days(-99)), license_until(in_days(days)), {"id": 3}])
    assert (await probe(client)).fields["license"]["daysLeft"] == left


@pytest.mark.parametrize("claim", [1e30, -1e30, "soon", None, [], {}])
async def test_a_licence_without_a_date_is_only_valid(healthy: Scripted, client: CoderClient, claim: Any) -> None:
    healthy.answer("/licenses", [{"id": 1, "claims": {"license_expires": claim}}])
    assert (await probe(client)).fields["license"] == {"valid": True}


async def test_a_replica_that_cannot_reach_another_is_named(healthy: Scripted, client: CoderClient) -> None:
    replicas = [
        {"id": "2", "hostname": "coder-1", "error": "no route to coder-0"},
        {"id": "1", "hostname": "coder-0", "error": ""},
        {"id": "3", "hostname": "coder-0", "error": ""},
    ]
    healthy.answer("/replicas", replicas)
    found = await probe(client)
    assert state(found, "ReplicasHealthy") == ("False", Reason.REPLICA_ERRORS)
    assert condition(found, "ReplicasHealthy").message == "coder-1: no route to coder-0"
    assert found.fields["replicasHealthy"] == "2/3"
    assert (found.figures[REPLICAS], found.figures[REPLICAS_HEALTHY]) == (3, 2)
    assert [row["hostname"] for row in found.fields["replicas"]] == ["coder-0", "coder-1"]


@pytest.mark.parametrize(
    ("daemon", "alive"),
    [
        ({"status": "idle"}, True),
        ({"status": "busy"}, True),
        ({"status": "offline", "last_seen_at": "{now}"}, False),
        ({"last_seen_at": "{now}"}, True),
        ({"last_seen_at": "{yesterday}"}, False),
        ({"last_seen_at": None}, False),
        ({"updated_at": {"Time": "{now}", "Valid": True}}, True),
        ({"updated_at": {"Time": "0001-01-01T00:00:00Z", "Valid": False}}, False),
        ({}, False),
    ],
)
async def test_a_daemon_is_there_while_it_is_heard(
    healthy: Scripted, client: CoderClient, daemon: Body, alive: bool
) -> None:
    text = json.dumps([{"id": "p1"} | daemon])
    for word, days in (("{now}", 0), ("{yesterday}", -1)):
        text = text.replace(word, in_days(days).isoformat())
    healthy.answer(DAEMONS, json.loads(text))
    found = await probe(client)
    expected = ("True", Reason.PROVISIONERS_SEEN) if alive else ("False", Reason.NO_PROVISIONERS)
    assert state(found, "ProvisionersAvailable") == expected


async def test_the_daemons_of_all_organizations_count(healthy: Scripted, client: CoderClient) -> None:
    other = "0e0e0e0e-0000-4000-8000-000000000001"
    healthy.answer("/organizations", [{"id": ORGANIZATION, "name": "coder"}, {"id": other, "name": "data"}])
    healthy.answer(f"/organizations/{other}/provisionerdaemons", [{"id": "p2", "status": "busy"}, {"id": "p3"}])
    assert (await probe(client)).fields["provisionerDaemons"] == 2


async def test_deleted_proxies_and_the_primary_do_not_count(healthy: Scripted, client: CoderClient) -> None:
    proxies = [
        {"id": "1", "name": "primary", "healthy": True},
        {"id": "2", "name": "east", "healthy": True},
        {"id": "3", "name": "west", "status": {"status": "unreachable"}},
        {"id": "4", "name": "old", "healthy": True, "deleted": True},
    ]
    healthy.answer("/workspaceproxies", {"regions": proxies})
    found = await probe(client)
    assert found.fields["proxiesHealthy"] == "1/2"
    assert (found.figures[PROXIES], found.figures[PROXIES_HEALTHY]) == (2, 1)


async def test_what_is_larger_than_status_is_cut(healthy: Scripted, client: CoderClient) -> None:
    long = "x" * 5000
    healthy.answer("/buildinfo", {"version": long})
    roles = [{"name": f"{number}{long}"} for number in range(100)]
    healthy.answer("/users/me", {"id": "u1", "username": long, "roles": roles})
    features = {f"feature_{number}": feature() for number in range(200)}
    healthy.answer("/entitlements", {"features": features, "has_license": True})
    replicas = [{"id": "r", "hostname": f"{number}{long}", "error": long} for number in range(300)]
    healthy.answer("/replicas", replicas)
    found = await probe(client)
    assert found.features is not None
    assert len(found.features) == 200


# Servers that cannot be used


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


# Settings


def test_the_token_is_read_without_the_line_break_of_an_editor() -> None:
    settings = KIND.settings(spec(url="https://coder.example.com/"), {SecretKeyRef("coder-token", "token"): "abc\n"})
    assert (settings.url, settings.token, settings.ca_bundle) == ("https://coder.example.com", "abc", "")


def test_another_key_may_be_named() -> None:
    desired = spec(tokenSecretRef={"name": "coder", "key": "session"})
    assert KIND.secrets(desired) == (SecretKeyRef("coder", "session"),)


def test_a_bundle_comes_from_spec_or_from_a_secret() -> None:
    token = {SecretKeyRef("coder-token", "token"): TOKEN}
    assert KIND.settings(spec(caBundle="PEM"), token).ca_bundle == "PEM"
    desired = spec(caBundleSecretRef={"name": "ca"})
    assert KIND.secrets(desired) == (SecretKeyRef("coder-token", "token"), SecretKeyRef("ca", "ca.crt"))
    assert [ref.sent for ref in KIND.secrets(desired)] == [True, False], "certificates stay here"
    assert KIND.settings(desired, token | {SecretKeyRef("ca", "ca.crt"): "PEM\n"}).ca_bundle == "PEM\n"


def test_the_key_of_scim_comes_from_a_secret_of_its_own() -> None:
    token = {SecretKeyRef("coder-token", "token"): TOKEN}
    desired = spec(scimSecretRef={"name": "idp"})
    assert KIND.secrets(desired) == (SecretKeyRef("coder-token", "token"), SecretKeyRef("idp", "scim"))
    values = token | {SecretKeyRef("idp", "scim"): "Bearer abc\n"}
    assert KIND.settings(desired, values).scim_key == "Bearer abc"
    assert KIND.settings(spec(), token).scim_key == ""


def test_what_cannot_be_a_key_of_scim_is_refused_and_not_told() -> None:
    values = {SecretKeyRef("coder-token", "token"): TOKEN, SecretKeyRef("idp", "scim"): "abc\r\nHost: x"}
    with pytest.raises(KindError, match="Secret idp holds no key") as caught:
        KIND.settings(spec(scimSecretRef={"name": "idp"}), values)
    assert "Host" not in str(caught.value)


@pytest.mark.parametrize("value", ["abc def", "abc def\nghi", "abc\x00", "abc\udcff", "t\u00f6ken"])
def test_what_cannot_be_a_token_is_refused_and_not_told(value: str) -> None:
    with pytest.raises(KindError, match="coder-token") as caught:
        KIND.settings(spec(), {SecretKeyRef("coder-token", "token"): value})
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert caught.value.meaning is Meaning.STALLED
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("allowed", "namespace", "expected"),
    [
        (None, "other", False),
        ([], "other", False),
        (["other"], "other", True),
        (["another"], "other", False),
        (["*"], "other", True),
    ],
)
def test_a_list_of_namespaces_is_short_for_an_entry(allowed: list[str] | None, namespace: str, expected: bool) -> None:
    entries = KIND.allowances(spec(allowedNamespaces=allowed, allow=[{"namespaces": ["third"]}]))
    assert any(entry.names(namespace) for entry in entries) is expected
    assert any(entry.names("third") for entry in entries)


@pytest.mark.parametrize(
    ("fields", "rate", "resync"),
    [
        ({}, None, 300.0),
        ({"maxRequestsPerSecond": 5}, 5, 300.0),
        ({"resyncInterval": "1h30m"}, None, 5400.0),
    ],
)
def test_limits_come_from_spec(fields: Mapping[str, Any], rate: float | None, resync: float) -> None:
    assert KIND.rate(spec(**fields)) == rate
    assert KIND.resync(spec(**fields)) == resync


# When things end, for the metrics


async def test_the_ends_of_licence_and_token_are_known_where_the_server_tells(
    healthy: Scripted, client: CoderClient
) -> None:
    end = datetime(2030, 1, 1, tzinfo=UTC)
    healthy.answer("/licenses", [license_until(end)])
    key = {"id": "abcdefghij", "expires_at": "2029-01-01T00:00:00Z"}
    healthy.answer(f"/users/me/keys/{TOKEN.partition('-')[0]}", key)
    found = await probe(client)
    assert found.figures[LICENSE_EXPIRY] == end.timestamp()
    assert found.figures[CREDENTIAL_EXPIRY] == datetime(2029, 1, 1, tzinfo=UTC).timestamp()


async def test_a_server_that_does_not_tell_when_the_token_ends_is_as_healthy(
    healthy: Scripted, client: CoderClient
) -> None:
    found = await probe(client)
    assert found.usable
    assert CREDENTIAL_EXPIRY not in found.figures


async def test_a_token_that_never_ends_has_no_end(healthy: Scripted, client: CoderClient) -> None:
    key = {"id": "abcdefghij", "expires_at": "0001-01-01T00:00:00Z"}
    healthy.answer(f"/users/me/keys/{TOKEN.partition('-')[0]}", key)
    assert CREDENTIAL_EXPIRY not in (await probe(client)).figures


async def test_only_the_public_part_of_the_token_is_in_the_path(healthy: Scripted, client: CoderClient) -> None:
    await probe(client)
    assert f"/users/me/keys/{TOKEN.partition('-')[0]}" in healthy.paths()
    assert not any(TOKEN.partition("-")[2] in path for path in healthy.paths())


def test_the_url_is_the_same_with_and_without_a_slash_at_its_end() -> None:
    assert KIND.url(spec(url="https://coder.example.com/")) == KIND.url(spec()) == "https://coder.example.com"
