"""GET /entitlements, and what a feature without a licence answers."""

from __future__ import annotations

import pytest

from coder_enterprise.server.services.all import Services
from coder_enterprise.wire.entitlements import Feature
from tests.support.api import Client, checked, refused
from tests.support.licenses import Claims
from tests.support.templates import as_the_sdk

FIELDS = {"errors", "features", "has_license", "refreshed_at", "require_telemetry", "trial", "warnings"}
GROUP = "/groups/00000000-0000-0000-0000-000000000001"
GROUPS = "/organizations/default/groups"


async def test_everybody_reads_the_entitlements(nobody: Client) -> None:
    answer = checked(await nobody.get("/entitlements"))
    assert set(answer) == FIELDS
    assert set(answer["features"]) == set(Feature)
    assert answer["features"]["template_rbac"] == {
        "entitlement": "entitled",
        "enabled": True,
        "limit": 0,
        "actual": 0,
    }
    assert answer["features"]["user_limit"] == {"entitlement": "entitled", "enabled": True, "limit": 1000, "actual": 0}
    assert answer["refreshed_at"].endswith("Z")


async def test_the_sdk_sees_no_counts_where_there_are_none(services: Services, nobody: Client) -> None:
    features = checked(await as_the_sdk(services, nobody).get("/entitlements"))["features"]
    assert features["template_rbac"] == {"entitlement": "entitled", "enabled": True}
    assert features["user_limit"] == {"entitlement": "entitled", "enabled": True, "limit": 1000, "actual": 0}


async def test_a_bad_token_does_not_matter_there(nobody: Client) -> None:
    checked(await nobody.get("/entitlements", headers={"Coder-Session-Token": "nonsense"}))


class TestWithoutALicence:
    @pytest.fixture
    def license_claims(self) -> Claims | None:
        return None

    async def test_every_feature_is_off(self, nobody: Client) -> None:
        answer = checked(await nobody.get("/entitlements"))
        assert set(answer) == FIELDS
        assert not any(state["enabled"] for state in answer["features"].values())
        assert (answer["has_license"], answer["errors"], answer["warnings"]) == (False, [], [])

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", GROUP),
            ("PATCH", GROUP),
            ("DELETE", GROUP),
            ("GET", GROUPS),
            ("POST", GROUPS),
            ("GET", f"{GROUPS}/Everyone"),
            ("GET", "/organizations/no-such-organization/groups"),
            ("GET", "/groups/no-uuid"),
        ],
    )
    async def test_groups_are_refused_before_anything_is_looked_up(self, owner: Client, method: str, path: str) -> None:
        body = refused(await owner.request(method, path, content='{"name": "a"}'), 403)
        assert "Template RBAC" in body["message"]
        assert "template_rbac" in body["message"]
