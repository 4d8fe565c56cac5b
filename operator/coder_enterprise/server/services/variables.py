"""Values of template variables as the database keeps them: encrypted, when there is a key.

Used where a template version is made, read by a job, and noted by one. Which variables are sensitive is known only when
a daemon has read the template, and by then their values are kept: so all are encrypted. AES-256-GCM, with a nonce of 96
bits for each value; a value belongs to its version and name, and cannot be put in another's place.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coder_enterprise.server.storage import template_versions
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.template_versions import TemplateVersion

SETTING: Final = "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS"
NONCE_BYTES: Final = 12
BATCH: Final = 100
"""Template versions that are encrypted anew in one transaction."""

Variable: TypeAlias = dict[str, Any]
"""Name, value, and whether it is sensitive; of an encrypted one the key's name, too."""


class Words(NamedTuple):
    """How people are told of what is kept."""

    what: str
    remedy: str


TEMPLATE_VARIABLES: Final = Words("template variable", "make a new version of the template")


class Undecipherable(Exception):
    """The message is for whoever wants the value, and shows nothing of it."""


class Variables:
    """The first of `keys`, of 32 bytes each, encrypts and all decrypt; without any, values are kept as they are."""

    def __init__(self, keys: Sequence[bytes], words: Words = TEMPLATE_VARIABLES) -> None:
        self._words = words
        self._ciphers = {_name_of(key): AESGCM(key) for key in keys}
        self._first = next(iter(self._ciphers), "")

    @property
    def encrypts(self) -> bool:
        return bool(self._first)

    def kept(self, version_id: UUID, variables: Sequence[Variable]) -> list[Variable]:
        """What is stored of variables that are plain."""
        return [self._encrypted(version_id, variable) for variable in variables] if self._first else list(variables)

    def plain(self, version: TemplateVersion) -> list[Variable]:
        """Raises `Undecipherable`."""
        return self.opened(version.id, version.variables)

    def opened(self, place_id: UUID, variables: Sequence[Variable]) -> list[Variable]:
        """What was `kept`. Raises `Undecipherable`."""
        return [self._decrypted(place_id, variable) for variable in variables]

    def is_current(self, variable: Variable) -> bool:
        """It is kept as one would be that is stored now."""
        return bool(variable.get("key", "") == self._first)

    def renewed(self, version_id: UUID, variables: Sequence[Variable], failed: set[str]) -> list[Variable]:
        """With the first key; what cannot be deciphered stays, and why is added to `failed`."""
        renewed = []
        for variable in variables:
            try:
                renewed.append(self._encrypted(version_id, self._decrypted(version_id, variable)))
            except Undecipherable as error:
                failed.add(str(error))
                renewed.append(variable)
        return renewed

    def _encrypted(self, version_id: UUID, variable: Variable) -> Variable:
        nonce = os.urandom(NONCE_BYTES)
        place = _place(version_id, variable)
        sealed = nonce + self._ciphers[self._first].encrypt(nonce, variable["value"].encode(), place)
        return {**variable, "value": base64.b64encode(sealed).decode(), "key": self._first}

    def _decrypted(self, version_id: UUID, variable: Variable) -> Variable:
        if "key" not in variable:
            return variable
        which = f"The value of the {self._words.what} {variable['name']!r} is encrypted with the key {variable['key']}"
        cipher = self._ciphers.get(variable["key"])
        if cipher is None:
            raise Undecipherable(f"{which}, which is not in {SETTING}; add it there, or {self._words.remedy}.")
        sealed = base64.b64decode(variable["value"])
        try:
            value = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _place(version_id, variable))
        except InvalidTag:
            raise Undecipherable(
                f"{which}, but is not what was stored; restore the database, or {self._words.remedy}."
            ) from None
        return {"name": variable["name"], "value": value.decode(), "sensitive": variable["sensitive"]}


@dataclass
class Renewal:
    count: int = 0
    """Of template versions, or of whose the values are."""
    failed: set[str] = field(default_factory=set)
    """Why some could not be."""


class Kept(NamedTuple):
    """Where values are kept: those after an id, at most so many, and those of one in the place of what they were."""

    after: Callable[[Connection, UUID, int], list[tuple[UUID, list[Variable]]]]
    replace: Callable[[Connection, UUID, list[Variable]], None]


OF_TEMPLATE_VERSIONS: Final = Kept(
    template_versions.variables_after,
    lambda connection, version_id, values: template_versions.update_fields(
        connection, version_id, {"variables": values}
    ),
)


async def renew(database: Database, variables: Variables, where: Kept = OF_TEMPLATE_VERSIONS) -> Renewal:
    """Encrypt with the first key what is not: what was stored without a key, or with another one."""
    renewal = Renewal()
    last: UUID | None = UUID(int=0)

    def work(connection: Connection, after: UUID) -> tuple[UUID | None, int, set[str]]:
        rows = where.after(connection, after, BATCH)
        count, failed = 0, set[str]()
        for place_id, kept in rows:
            if all(variables.is_current(variable) for variable in kept):
                continue
            changed = variables.renewed(place_id, kept, failed)
            if changed != kept:
                where.replace(connection, place_id, changed)
                count += 1
        return (rows[-1][0] if len(rows) == BATCH else None), count, failed

    while last is not None:
        after = last
        last, count, failed = await database.write(lambda connection: work(connection, after))  # noqa: B023
        renewal.count += count
        renewal.failed |= failed
    return renewal


def _place(version_id: UUID, variable: Variable) -> bytes:
    return f"{version_id}/{variable['name']}".encode()


def _name_of(key: bytes) -> str:
    """Says which key it is, and nothing of the key."""
    return hashlib.sha256(b"template variables\0" + key).hexdigest()[:8]
