"""A pair of SSH keys for each user: they put the public one into Git, and their workspaces get the private one.

Made when it is needed first; Ed25519, in the form of OpenSSH, as in Coder. The private key is kept as the values of
template variables are, and never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import NotFound
from coder_enterprise.server.services import audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.variables import Kept, Variable, Variables, Words
from coder_enterprise.server.storage import git_ssh_keys
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.git_ssh_keys import GitSSHKey as KeyRow
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.git_ssh_keys import GitSSHKey

WORDS: Final = Words("SSH key", "let its user make a new one: PUT /users/me/gitsshkey")
OF_USERS: Final = Kept(
    git_ssh_keys.private_keys_after,
    lambda connection, user_id, values: git_ssh_keys.update_fields(connection, user_id, {"private_key": values}),
)


def sealing(keys: Sequence[bytes]) -> Variables:
    """How private keys are kept."""
    return Variables(keys, WORDS)


class GitSSHKeys:
    def __init__(self, database: Database, kept: Variables) -> None:
        self._database = database
        self._kept = kept

    async def get(self, actor: Actor, reference: str) -> GitSSHKey:
        """Raises `BadRequest` for an unknown user, and `NotFound` for somebody else's."""

        def work(connection: Connection, actor: Actor) -> KeyRow:
            return _of(connection, _owner(connection, actor, reference), self._kept)

        return _to_wire(await self._database.write_as(actor, work))

    async def renew(self, actor: Actor, reference: str) -> GitSSHKey:
        """Another one, from now on. Raises like `get`."""

        def work(connection: Connection, actor: Actor) -> KeyRow:
            user = _owner(connection, actor, reference)
            access.require(actor, Action.UPDATE, _subject(user))
            known = _of(connection, user, self._kept)
            made = _made(user, self._kept)._replace(created_at=known.created_at)
            git_ssh_keys.update_fields(connection, user.id, made._asdict())
            before, after = ({"public_key": row.public_key} for row in (known, made))
            audit.record(connection, actor.id, "write", _resource(user), before=before, after=after)
            return made

        return _to_wire(await self._database.write_as(actor, work))

    def pair(self, connection: Connection, user: User) -> tuple[str, str]:
        """Public and private. Raises `Undecipherable`."""
        row = _of(connection, user, self._kept)
        (private,) = self._kept.opened(user.id, row.private_key)
        return row.public_key, private["value"]


def _owner(connection: Connection, actor: Actor, reference: str) -> User:
    user = references.user(connection, actor, reference)
    if user.deleted or not access.sees(actor, _subject(user)):
        raise NotFound
    return user


def _of(connection: Connection, user: User, kept: Variables) -> KeyRow:
    known = git_ssh_keys.get(connection, user.id)
    if known is not None:
        return known
    made = _made(user, kept)
    git_ssh_keys.create(connection, made)
    audit.record(connection, user.id, "create", _resource(user), after={"public_key": made.public_key})
    return made


def _made(user: User, kept: Variables) -> KeyRow:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    value: Variable = {"name": user.username, "value": private, "sensitive": True}
    moment = now()
    return KeyRow(user.id, f"{public}\n", kept.kept(user.id, [value]), moment, moment)


def _subject(user: User) -> Subject:
    return Subject(Kind.SSH_KEY, user.id)


def _resource(user: User) -> tuple[str, UUID, str]:
    return "git_ssh_key", user.id, user.username


def _to_wire(row: KeyRow) -> GitSSHKey:
    return GitSSHKey.model_construct(
        user_id=row.user_id, created_at=row.created_at, updated_at=row.updated_at, public_key=row.public_key
    )
