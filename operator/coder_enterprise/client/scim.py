"""What the operator sends to SCIM: bodies that servers of both generations read alike.

Used by `client.coder`. Up to now Coder reads the user in a PATCH, and suspends whoever sends it a PatchOp of RFC 7644;
its rewrite reads the PatchOp. So a PATCH here holds both, and they say the same.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class SCIMBody(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True)


class Name(SCIMBody):
    given_name: str
    family_name: str


class Email(SCIMBody):
    value: str
    primary: bool


class NewUser(SCIMBody):
    schemas: list[str]
    user_name: str
    name: Name
    emails: list[Email]
    active: bool


class Operation(SCIMBody):
    op: str
    path: str
    value: bool


class Activation(SCIMBody):
    schemas: list[str]
    operations: list[Operation] = Field(alias="Operations")
    active: bool


def new_user(username: str, email: str, name: str, *, active: bool) -> NewUser:
    given, _, family = name.partition(" ")
    return NewUser(
        schemas=[USER],
        user_name=username,
        name=Name(given_name=given, family_name=family),
        emails=[Email(value=email, primary=True)],
        active=active,
    )


def activation(active: bool) -> Activation:
    """Lets a user in, or suspends them."""
    return Activation(schemas=[PATCH], operations=[Operation(op="replace", path="active", value=active)], active=active)
