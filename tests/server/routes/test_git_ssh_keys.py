"""Users' SSH keys for Git: whose they are, and which workspaces get them."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from coder_enterprise.server.services.git_ssh_keys import OF_USERS, sealing
from coder_enterprise.server.services.variables import renew
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage import git_ssh_keys
from coder_enterprise.server.storage.database import Database
from tests.support.api import Body, Client, checked, refused
from tests.support.provisioners import Daemon, create_workspace

PATH = "/users/me/gitsshkey"
OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, encryption_keys=(OLD,))


async def kept(database: Database, client: Client) -> str:
    row = await database.read(lambda connection: git_ssh_keys.get(connection, UUID(client.user_id)))
    assert row is not None
    return str(row.private_key[0]["value"])


async def test_a_user_has_one_key(member: Client) -> None:
    made = checked(await member.get(PATH))
    assert made["user_id"] == member.user_id
    assert made["public_key"].startswith("ssh-ed25519 ")
    assert made["public_key"].endswith("\n")
    assert checked(await member.get(PATH)) == made


async def test_a_key_can_be_made_anew(member: Client) -> None:
    first = checked(await member.get(PATH))
    second = checked(await member.put(PATH))
    assert second["public_key"] != first["public_key"]
    assert second["created_at"] == first["created_at"] < second["updated_at"]
    assert checked(await member.get(PATH)) == second


async def test_the_keys_of_others_are_an_owners_alone(owner: Client, user_admin: Client, member: Client) -> None:
    path = f"/users/{member.user_id}/gitsshkey"
    assert checked(await owner.get(path)) == checked(await member.get(PATH))
    refused(await user_admin.get(path), 404)
    refused(await user_admin.put(path), 404)


async def test_a_workspace_gets_the_private_key(
    daemon: Daemon, template: Body, member: Client, database: Database
) -> None:
    await create_workspace(member, template, "dev")
    metadata = (await daemon.acquire()).workspace_build.metadata
    private = load_ssh_private_key(metadata.workspace_owner_ssh_private_key.encode(), None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    shown = checked(await member.get(PATH))
    assert f"{public}\n" == metadata.workspace_owner_ssh_public_key == shown["public_key"]
    assert "PRIVATE" not in str(shown)
    assert b"PRIVATE" not in base64.b64decode(await kept(database, member))


async def test_another_first_key_encrypts_what_is_kept(member: Client, database: Database) -> None:
    await member.get(PATH)
    before = await kept(database, member)
    renewal = await renew(database, sealing([NEW, OLD]), OF_USERS)
    assert (renewal.count, renewal.failed) == (1, set())
    assert await kept(database, member) != before


async def test_a_key_that_cannot_be_deciphered_is_told_of(member: Client, database: Database) -> None:
    await member.get(PATH)
    (cause,) = (await renew(database, sealing([NEW]), OF_USERS)).failed
    assert "SSH key" in cause
    assert "PUT /users/me/gitsshkey" in cause
