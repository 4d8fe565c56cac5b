"""The first password of a user who is to log in with one.

`steps` asks for it when the user is made, and nothing else does: afterwards the password is the person's own. It is
sent to Coder, and appears in no plan, status, event or log.
"""

from __future__ import annotations

from typing import Final

from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.machinery.secret_text import command, no_secret, no_value
from coder_enterprise.kinds.user.spec import LoginType, UserSpec

FIELD: Final = "spec.passwordSecretRef"


async def first_password(context: Context, resource: Resource, desired: UserSpec) -> str | None:
    """None for who has none. Raises `KindError` for a Secret that is not there, not marked, or has no such value."""
    if desired.login_type is not LoginType.PASSWORD:
        return None
    ref = desired.password_secret_ref
    if ref is None:
        raise stalled(
            Reason.SECRET_NOT_FOUND,
            f"{FIELD}: there is no user {desired.email} yet, and one with loginType password needs a first password; "
            "name the Secret that has it, or make the user in Coder",
        )
    place = f"Secret {resource.key.namespace}/{ref.name}"
    values = await context.beside.secret(resource, ref.name, send=True)
    if values is None:
        advice = f"create it with the first password under the key {ref.key}: {command(ref.name, ref.key)}"
        raise no_secret(place, advice, field=FIELD)
    # Editors and shells end a file with a newline; anything else may be meant.
    password = values.get(ref.key, "").rstrip("\r\n")
    if not password:
        raise no_value(place, ref.key, "put the first password there", field=FIELD)
    return password
