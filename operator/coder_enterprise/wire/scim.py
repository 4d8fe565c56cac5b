"""People as the contract page shows them to SCIM. What RFC 7643 says of them is not here: only the server speaks it."""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View

USER_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
LIST_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


class SCIMModel(WireModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True)


class SCIMEmail(SCIMModel):
    value: str = ""
    primary: bool = False
    type: str = ""
    display: str = ""


class SCIMName(SCIMModel):
    given_name: str = ""
    family_name: str = ""


class SCIMMeta(SCIMModel):
    resource_type: str = "User"


class SCIMUser(SCIMModel):
    schemas: list[str] = Field(default_factory=lambda: [USER_SCHEMA])
    id: str = ""
    user_name: str
    name: SCIMName = Field(default_factory=SCIMName)
    emails: list[SCIMEmail] = Field(default_factory=list)
    active: bool
    groups: list[None] = Field(default_factory=list)
    """Always empty: the page does not say what is in it, and neither does Coder."""
    meta: SCIMMeta = Field(default_factory=SCIMMeta)


class SCIMUsers(SCIMModel):
    schemas: list[str] = Field(default_factory=lambda: [LIST_SCHEMA])
    total_results: int
    start_index: int
    items_per_page: int
    resources: list[SCIMUser] = Field(alias="Resources")


SCIM_USER: Final[Shape[SCIMUser]] = Shape(View(SCIMUser))
SCIM_USERS: Final[Shape[SCIMUsers]] = Shape(View(SCIMUsers))
