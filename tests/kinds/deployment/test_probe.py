"""The probe of a server that is well."""

from __future__ import annotations

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.deployment.builders import DAEMONS, ORGANIZATION, condition, in_days, probe, state
from tests.support.scripted import Scripted


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
