"""Fixtures of the tests of deployments."""

from __future__ import annotations

import pytest

from tests.kinds.deployment.builders import DAEMONS, ORGANIZATION, feature, in_days, license_until
from tests.support.scripted import Scripted


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
