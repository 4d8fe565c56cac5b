"""Uploaded files: the archives that templates are made of."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID, uuid4

from coder_enterprise.server import access
from coder_enterprise.server.access import Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, Forbidden, NotFound
from coder_enterprise.server.services import archives, audit, references
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.storage import files
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.files import File

MAX_FILE: Final = 3 * 1024 * 1024
"""Bytes: with the state of a workspace it has to fit into one message to a daemon, which takes 4 MiB."""
MAX_UNUSED: Final = 32 * 1024 * 1024
"""Bytes of one person's files that nothing is made of. They go after a day (`services.retention`)."""
TAR: Final = "application/x-tar"
ZIP: Final = "application/zip"
_ZIPS: Final = frozenset({ZIP, "application/x-zip-compressed"})
"""The second one is what Windows says."""


class Files:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, actor: Actor, mimetype: str, data: bytes) -> tuple[UUID, bool]:
        """The id, and whether it is new: the same bytes of the same user are kept once. ZIP is kept as tar.

        Raises `BadRequest`, `Overloaded`, and `Forbidden` where too much of the user's is not used.
        """
        if mimetype in _ZIPS:
            data, mimetype = await archives.to_tar(data, MAX_FILE), TAR
        if mimetype != TAR:
            raise BadRequest(
                f"The content type {mimetype or 'that is missing'!r} is not supported.", f"Send {TAR} or {ZIP}."
            )
        digest = hashlib.sha256(data).hexdigest()

        def work(connection: Connection, actor: Actor) -> tuple[UUID, bool]:
            known = files.same(connection, digest, actor.id)
            if known is not None:
                return known, False
            file = File(uuid4(), digest, actor.id, now(), mimetype, data)
            if files.unused(connection, actor.id) + len(data) > MAX_UNUSED:
                raise Forbidden(
                    f"You have {MAX_UNUSED} bytes of files that no template version is made of.",
                    "Make one of them, or wait: what is not used is removed after a day.",
                )
            files.create(connection, file)
            audit.record(connection, actor.id, "create", ("file", file.id, digest), after={"size": len(data)})
            return file.id, True

        return await self._database.write_as(actor, work)

    async def get(self, actor: Actor, reference: str, form: str = "") -> File:
        """One's own; those who manage templates see all. `form` is zip, or "" for what was uploaded.

        Raises `BadRequest` for what is no id, no form, or no archive, `NotFound` and `Overloaded`.
        """
        if form not in ("", "zip"):
            raise BadRequest(f"The format {form!r} is not known.", "Leave it out for tar, or ask for zip.")
        file_id = references.uuid_parameter("fileID", reference)
        found = await self._database.read(lambda connection: files.get(connection, file_id))
        if found is None or not access.sees(actor, Subject(Kind.FILE, found.created_by_id)):
            raise NotFound
        return found._replace(mimetype=ZIP, data=await archives.to_zip(found.data)) if form else found
