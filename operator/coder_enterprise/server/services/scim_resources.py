"""SCIM's own description of what this server has: the attributes of a user, and what `/scim/v2` can do.

Everything here is data for scim2-models, and its reading of what clients send; `scim` decides what becomes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import ValidationError
from scim2_models import (
    URN,
    AuthenticationScheme,
    BaseModel,
    Bulk,
    ChangePassword,
    ComplexAttribute,
    Context,
    Error,
    ETag,
    ExtensibleStringEnum,
    Filter,
    InvalidSyntaxException,
    InvalidValueException,
    ListResponse,
    Message,
    Pagination,
    Patch,
    PatchOp,
    Required,
    Resource,
    SCIMException,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models import ResponseParameters as Parameters
from typing_extensions import override

from coder_enterprise.wire.scim import USER_SCHEMA

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_RESULTS: Final = 1000
DEFAULT_RESULTS: Final = 100
MAX_FILTER: Final = 4096
"""Characters. A filter may be tried on every user."""
MAX_TERMS: Final = 10
_OPERATOR: Final = re.compile(r"\b(?:and|or|not)\b", re.IGNORECASE)
PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Name(ComplexAttribute):
    formatted: str | None = None
    """The full name."""
    family_name: str | None = None
    """The family name."""
    given_name: str | None = None
    """The given name."""


class Email(ComplexAttribute):
    class Type(ExtensibleStringEnum):
        work = "work"
        home = "home"
        other = "other"

        @override
        def __deepcopy__(self, memo: dict[int, Any]) -> Self:
            """Before Python 3.11.4 an enum copies a member by its name, and a value of the client's own has none."""
            return self

    value: Annotated[str | None, Required.true] = None
    """The address."""
    type: Type | None = None
    """What the address is for."""
    primary: bool | None = None
    """Whether it is the one that Coder uses; when none is, that is the first."""


class User(Resource[Any]):
    """User Account"""

    __schema__ = URN(USER_SCHEMA)

    user_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    """What the identity provider calls the user, who may be renamed. The username in Coder is made of it once."""
    name: Name | None = None
    """The parts of the user's name."""
    display_name: str | None = None
    """What people call the user. When it is not sent, it is made of the name."""
    emails: Annotated[list[Email] | None, Required.true] = None
    """The e-mail addresses. When none is sent with a new user, userName must be one."""
    active: Annotated[bool | None, Required.true] = None
    """Whether the user may use Coder: not when suspended. When it is not sent with a new user, it is true."""


POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""Attributes that Coder does not have are dropped, and what Microsoft Entra sends is understood."""

PROVIDER: Final = ScimProvider(
    models=[User],
    config=ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MAX_RESULTS),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=False),
        pagination=Pagination(
            cursor=False,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=DEFAULT_RESULTS,
            max_page_size=MAX_RESULTS,
        ),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="CODER_SCIM_AUTH_HEADER",
                description="The Authorization header that the server is set to expect, with or without Bearer.",
                primary=True,
            )
        ],
    ),
    policy=POLICY,
)


def parse(model: type[ModelT], value: Any, context: Context) -> ModelT:
    """Raises `SCIMException`."""
    try:
        return model.model_validate(value, scim_ctx=context, scim_policy=POLICY)
    except ValidationError as error:
        raise refusal(error) from None
    except RecursionError:
        raise InvalidSyntaxException(detail="The body is nested too deeply.") from None


def refusal(error: ValidationError) -> SCIMException:
    return SCIMException.from_error(Error.from_validation_errors(error.errors(include_url=False))[0])


def parse_new(body: Mapping[str, Any]) -> User:
    """A user to be made; `schemas` says nothing, as for Coder. Raises `SCIMException`."""
    sent = {key.lower(): key for key in body}
    user_name = body.get(sent.get("username", ""))
    filled = {key: value for key, value in body.items() if key != sent.get("schemas")}
    if body.get(sent.get("active", "")) is None:
        filled[sent.get("active", "active")] = True
    if not body.get(sent.get("emails", "")) and isinstance(user_name, str) and "@" in user_name:
        filled[sent.get("emails", "emails")] = [{"value": user_name, "type": "work", "primary": True}]
    return parse(User, filled, Context.RESOURCE_CREATION_REQUEST)


def parse_patch(body: Mapping[str, Any]) -> PatchOp[User]:
    """RFC 7644's operations, or what Coder's older clients send, a user whose `active` counts, or both in one.

    Raises `SCIMException`.
    """
    sent = {key.lower(): value for key, value in body.items() if value is not None}
    if "operations" not in sent and "active" not in sent:
        raise InvalidValueException(detail="Send Operations, or active.")
    operations = sent.get("operations", [])
    if "active" in sent and isinstance(operations, list):
        operations = [*operations, {"op": "replace", "path": "active", "value": sent["active"]}]
    value = {"schemas": [PATCH_SCHEMA], "Operations": operations}
    return parse(PatchOp[User], value, Context.RESOURCE_PATCH_REQUEST)


def deactivates(body: Mapping[str, Any]) -> bool:
    """Whether a PATCH or a PUT leaves the user inactive, whatever else it says, and whether or not it can be read."""
    sent = {key.lower(): value for key, value in body.items() if value is not None}
    wanted = sent.get("active")
    operations = sent.get("operations", [])
    for operation in operations if isinstance(operations, list) and wanted is None else ():
        wanted = _activity(operation, wanted)
    return wanted is False or (isinstance(wanted, str) and wanted.lower() == "false")


def _activity(operation: Any, before: Any) -> Any:
    """What `active` is after the operation."""
    sent = {key.lower(): value for key, value in operation.items()} if isinstance(operation, dict) else {}
    value = sent.get("value")
    if str(sent.get("path") or "").lower() == "active":
        return value
    if not sent.get("path") and isinstance(value, dict):
        return {key.lower(): part for key, part in value.items()}.get("active", before)
    return before


def parse_search(value: Mapping[str, Any]) -> SearchRequest[User]:
    """Raises `SCIMException`."""
    for name, sent in value.items():
        if name.lower() == "filter" and len(str(sent)) > MAX_FILTER:
            raise InvalidValueException(detail=f"A filter has at most {MAX_FILTER} characters.")
        if name.lower() == "filter" and len(_OPERATOR.findall(str(sent))) >= MAX_TERMS:
            raise InvalidValueException(detail=f"A filter has at most {MAX_TERMS} terms, joined by and, or, not.")
    return parse(SearchRequest[User], value, Context.SEARCH_REQUEST)


def parse_parameters(value: Mapping[str, Any]) -> Parameters[User]:
    """`attributes` and `excludedAttributes`. Raises `SCIMException`."""
    return parse(Parameters[User], value, Context.SEARCH_REQUEST)


def write(value: Resource[Any] | Message, parameters: Parameters[User] | None = None) -> bytes:
    """JSON, with the attributes that were asked for."""
    text = value.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=parameters)
    return text.encode()


def listed(
    kind: type[Resource[Any]], resources: Sequence[Resource[Any]], total: int, start: int = 1
) -> ListResponse[Any]:
    """A page of a list."""
    response: type[ListResponse[Any]] = ListResponse[kind]  # type: ignore[valid-type]
    return response.model_construct(
        total_results=total, start_index=start, items_per_page=len(resources), resources=list(resources)
    )
