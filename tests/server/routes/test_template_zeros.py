"""PATCH /templates/{template}: what is absent, as each generation of clients means it."""

from __future__ import annotations

import pytest

from coder_enterprise.server.services.all import Services
from tests.support.api import Body, Client, checked
from tests.support.templates import as_the_sdk, create_template

NOT_ZERO: Body = {
    "default_ttl_ms": 60_000,
    "activity_bump_ms": 60_000,
    "allow_user_autostart": True,
    "allow_user_autostop": True,
    "allow_user_cancel_workspace_jobs": True,
    "failure_ttl_ms": 60_000,
    "time_til_dormant_ms": 60_000,
    "time_til_dormant_autodelete_ms": 60_000,
    "require_active_version": True,
}
"""What Go's SDK has as plain values."""
KEPT: Body = {
    "display_name": "Docker",
    "description": "Containers",
    "icon": "/icon/docker.svg",
    "autostop_requirement": {"days_of_week": ["sunday"], "weeks": 2},
    "autostart_requirement": {"days_of_week": ["monday"]},
    "deprecation_message": "old",
    "max_port_share_level": "authenticated",
    "cors_behavior": "passthru",
    "use_classic_parameter_flow": False,
}
"""What it has as pointers."""
FLAGS: Body = {
    "update_workspace_last_used_at": False,
    "update_workspace_dormant_at": False,
    "disable_everyone_group_access": False,
}
"""What it always sends."""


@pytest.fixture
async def template(owner: Client) -> Body:
    made = await create_template(owner, "docker")
    return checked(await owner.patch(f"/templates/{made['id']}", json=NOT_ZERO | KEPT))


@pytest.fixture
def sdk(services: Services, owner: Client) -> Client:
    return as_the_sdk(services, owner)


def zeros() -> Body:
    return {name: type(value)() for name, value in NOT_ZERO.items()}


def of(template: Body, names: Body) -> Body:
    return {name: template[name] for name in names}


async def test_an_older_sdk_leaves_out_what_it_sets_to_zero(sdk: Client, template: Body) -> None:
    patched = checked(await sdk.patch(f"/templates/{template['id']}", json={"name": "docker", **FLAGS}))
    assert of(patched, NOT_ZERO) == zeros()
    assert of(patched, KEPT) == KEPT


async def test_an_older_sdk_sends_what_is_not_zero(sdk: Client, template: Body) -> None:
    body = {"name": "docker", "allow_user_autostop": True, "failure_ttl_ms": 120_000, **FLAGS}
    patched = checked(await sdk.patch(f"/templates/{template['id']}", json=body))
    assert of(patched, NOT_ZERO) == zeros() | {"allow_user_autostop": True, "failure_ttl_ms": 120_000}


async def test_a_newer_sdk_sends_zeros_too(sdk: Client, template: Body) -> None:
    body = {"name": "docker", **zeros(), **FLAGS, "allow_user_autostart": True}
    patched = checked(await sdk.patch(f"/templates/{template['id']}", json=body))
    assert of(patched, NOT_ZERO) == zeros() | {"allow_user_autostart": True}
    assert of(patched, KEPT) == KEPT


async def test_the_same_body_twice_changes_nothing(sdk: Client, template: Body) -> None:
    body = {"name": "docker", "default_ttl_ms": 60_000, **FLAGS}
    once = checked(await sdk.patch(f"/templates/{template['id']}", json=body))
    assert checked(await sdk.patch(f"/templates/{template['id']}", json=body)) == once


async def test_in_the_documented_profile_what_is_absent_is_kept(owner: Client, template: Body) -> None:
    patched = checked(await owner.patch(f"/templates/{template['id']}", json={"display_name": "Podman", **FLAGS}))
    assert of(patched, NOT_ZERO) == NOT_ZERO
    assert of(patched, KEPT) == KEPT | {"display_name": "Podman"}
