"""The parts of a probe, and what is said of one that is not well."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.kinds.deployment.status import (
    CREDENTIAL_EXPIRY,
    LICENSE_EXPIRY,
    PROXIES,
    PROXIES_HEALTHY,
    REPLICAS,
    REPLICAS_HEALTHY,
)
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.deployment.builders import (
    DAEMONS,
    KIND,
    ORGANIZATION,
    Body,
    condition,
    feature,
    in_days,
    license_until,
    probe,
    spec,
    state,
)
from tests.support.scripted import NO_ROUTE, NOT_FOUND, TOKEN, Scripted


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
