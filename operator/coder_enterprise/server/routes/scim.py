"""SCIM: RFC 7644 at `/scim/v2`, and what the contract page says at `/api/v2/scim/v2`. Errors are SCIM's at both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from scim2_models import (
    Error,
    ForbiddenException,
    InvalidSyntaxException,
    Meta,
    NotFoundException,
    Resource,
    ResourceType,
    Schema,
    SCIMException,
    ServiceProviderConfig,
)
from starlette.requests import HTTPConnection

from coder_enterprise.server.access import IDENTITY_PROVIDER, Actor
from coder_enterprise.server.errors import BadRequest, Unauthorized
from coder_enterprise.server.refused import Refused
from coder_enterprise.server.routes.answers import answer, documented, http_of
from coder_enterprise.server.routes.bodies import expects, json_object
from coder_enterprise.server.routes.dependencies import API, Public, session_token
from coder_enterprise.server.routes.logs import note_user
from coder_enterprise.server.routes.openapi import BEARER, SCIM_KEY, SESSION_COOKIE, SESSION_HEADER, secured_by
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.scim import MOUNT, Found
from coder_enterprise.server.services.scim_resources import (
    PROVIDER,
    User,
    listed,
    parse_new,
    parse_parameters,
    parse_search,
    write,
)
from coder_enterprise.server.storage.scim import Person
from coder_enterprise.wire.scim import SCIM_USER, SCIM_USERS, SCIMUser
from coder_enterprise.wire.users import USER

MEDIA_TYPE: Final = "application/scim+json"

root = APIRouter(prefix=MOUNT, include_in_schema=False)
"""There only when a key is set; it describes itself."""
router = APIRouter(prefix=f"{API}{MOUNT}", tags=["Enterprise"])


def speaks(connection: HTTPConnection) -> bool:
    """Whether whoever sent this expects SCIM's errors."""
    services: Services = connection.app.state.services
    mounts = (f"{API}{MOUNT}", MOUNT) if services.scim.enabled else (f"{API}{MOUNT}",)
    path = connection.scope["path"]
    return any(path == mount or path.startswith(f"{mount}/") for mount in mounts)


def refusal(error: Refused | SCIMException) -> Response:
    """The error as RFC 7644 writes it."""
    if isinstance(error, SCIMException):
        shown = error.to_error()
        # It may quote what was sent, and half a surrogate pair cannot be sent back.
        quoted = str(shown.detail).encode(errors="backslashreplace").decode()
        return _response(shown.model_copy(update={"detail": quoted}), shown.status or 400)
    said = http_of(error)
    causes = "; ".join(f"{field}: {text}" for field, text in error.validations.items())
    detail = " ".join(filter(None, (error.message, error.detail, causes)))
    kind = {400: "invalidValue", 409: "uniqueness"}.get(said.status)
    return _response(Error(status=said.status, scim_type=kind, detail=detail), said.status, dict(said.headers))


def no_route(status: int, headers: Any) -> Response:
    """No such path, or no such method."""
    detail = "There is nothing at this path." if status == 404 else "This path does not take this method."
    return _response(Error(status=status, detail=detail), status, headers)


def _response(value: Error | Resource[Any], status: int, headers: Any = None) -> Response:
    return Response(write(value), status, headers, MEDIA_TYPE)


async def _client(request: Request, services: Public) -> Services:
    """An identity provider. Raises `Unauthorized`."""
    if not services.scim.admits(request.headers.get("authorization", "")):
        raise Unauthorized("The Authorization header does not hold the key that this server is set to expect.")
    services.scim.require(IDENTITY_PROVIDER)
    return services


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sends a request to the documented path."""

    actor: Actor
    services: Services


@secured_by(SCIM_KEY, SESSION_HEADER, SESSION_COOKIE, BEARER)
async def _sender(request: Request, services: Public) -> _Sender:
    """By the key, or by a session token. Raises `Unauthorized`, and `Forbidden`."""
    actor = IDENTITY_PROVIDER
    if not services.scim.admits(request.headers.get("authorization", "")):
        actor = await services.sessions.authenticate(session_token(request))
        note_user(request.scope, actor.username)
    services.scim.require(actor)
    return _Sender(actor, services)


async def _body(request: Request) -> dict[str, Any]:
    try:
        return await json_object(request)
    except BadRequest as error:
        raise InvalidSyntaxException(detail=f"{error.message} {error.detail}") from None


Client = Annotated[Services, Depends(_client)]
Sender = Annotated[_Sender, Depends(_sender)]
Body = Annotated[dict[str, Any], Depends(_body)]
UserID = Annotated[str, Path(alias="id", description="User id", json_schema_extra={"format": "uuid"})]


@root.get("/Users")
async def list_users(client: Client, request: Request) -> Response:
    search = parse_search(request.query_params)
    return _list(client, await client.scim.list(IDENTITY_PROVIDER, search), search)


@root.post("/Users/.search")
@root.post("/.search")
async def search_users(client: Client, body: Body) -> Response:
    """Both paths find users: there is nothing else to be found."""
    search = parse_search(body)
    return _list(client, await client.scim.list(IDENTITY_PROVIDER, search), search)


@root.post("/Users")
async def create_user(client: Client, request: Request, body: Body) -> Response:
    parameters = parse_parameters(request.query_params)
    person = await client.scim.create(IDENTITY_PROVIDER, parse_new(body))
    return _user(client, person, parameters, 201)


@root.get("/Users/{user}")
async def get_user(user: str, client: Client, request: Request) -> Response:
    parameters = parse_parameters(request.query_params)
    return _user(client, await client.scim.get(IDENTITY_PROVIDER, user), parameters)


@root.put("/Users/{user}")
async def replace_user(user: str, client: Client, request: Request, body: Body) -> Response:
    parameters = parse_parameters(request.query_params)
    return _user(client, await client.scim.replace(IDENTITY_PROVIDER, user, body), parameters)


@root.patch("/Users/{user}")
async def patch_user(user: str, client: Client, request: Request, body: Body) -> Response:
    parameters = parse_parameters(request.query_params)
    return _user(client, await client.scim.patch(IDENTITY_PROVIDER, user, body), parameters)


@root.delete("/Users/{user}")
async def delete_user(user: str, client: Client) -> Response:
    """Suspends, and hides: see `services.scim`."""
    await client.scim.remove(IDENTITY_PROVIDER, user)
    return Response(status_code=204)


@root.get("/ServiceProviderConfig")
async def get_service_provider_config(services: Public) -> Response:
    """For everybody, as in Coder: it says how to authenticate."""
    services.scim.require(IDENTITY_PROVIDER)
    return _response(_described(services, PROVIDER.config), 200)


@root.get("/ResourceTypes")
async def list_resource_types(client: Client, request: Request) -> Response:
    return _all(client, request, PROVIDER.resource_types, ResourceType)


@root.get("/ResourceTypes/{name}")
async def get_resource_type(name: str, client: Client) -> Response:
    return _one(client, PROVIDER.resource_types, name)


@root.get("/Schemas")
async def list_schemas(client: Client, request: Request) -> Response:
    return _all(client, request, PROVIDER.schemas, Schema)


@root.get("/Schemas/{name}")
async def get_schema(name: str, client: Client) -> Response:
    return _one(client, PROVIDER.schemas, name)


@router.get("/Users", **documented(SCIM_USERS), summary="SCIM 2.0: Get users")
async def list_documented_users(sender: Sender, request: Request) -> Response:
    scim = sender.services.scim
    found = await scim.list(sender.actor, parse_search(request.query_params))
    return answer(sender.services.profile, SCIM_USERS, scim.documented_list(found))


@router.post("/Users", **documented(SCIM_USER), summary="SCIM 2.0: Create new user", openapi_extra=expects(SCIMUser))
async def ensure_documented_user(sender: Sender, body: Body) -> Response:
    scim = sender.services.scim
    person = await scim.ensure(sender.actor, parse_new(body))
    return answer(sender.services.profile, SCIM_USER, scim.documented(person))


@router.get("/Users/{id}", status_code=404, response_class=Response, summary="SCIM 2.0: Get user by ID")
async def get_documented_user(user: UserID, sender: Sender) -> Response:
    """The page knows no other answer."""
    raise NotFoundException(detail=f"Users are not shown at this path; see {sender.services.scim.url}/Users/{{id}}.")


@router.patch(
    "/Users/{id}", **documented(USER), summary="SCIM 2.0: Update user account", openapi_extra=expects(SCIMUser)
)
async def patch_documented_user(user: UserID, sender: Sender, body: Body) -> Response:
    scim = sender.services.scim
    person = await scim.patch(sender.actor, user, body)
    return answer(sender.services.profile, USER, await scim.account(person))


def _user(services: Services, person: Person, parameters: Any, status: int = 200) -> Response:
    resource = services.scim.resource(person)
    location = f"{services.scim.url}/Users/{resource.id}"
    return Response(write(resource, parameters), status, {"Location": location}, MEDIA_TYPE)


def _list(services: Services, found: Found, parameters: Any) -> Response:
    resources = [services.scim.resource(person) for person in found.people]
    return Response(write(listed(User, resources, found.total, found.start), parameters), media_type=MEDIA_TYPE)


def _all(services: Services, request: Request, resources: Any, kind: type[Resource[Any]]) -> Response:
    """RFC 7644, section 4: these lists are not filtered, and who asks for it is told so."""
    if "filter" in request.query_params:
        raise ForbiddenException(detail="This list cannot be filtered.")
    shown = [_described(services, resource) for resource in resources]
    return Response(write(listed(kind, shown, len(shown))), media_type=MEDIA_TYPE)


def _one(services: Services, resources: Any, name: str) -> Response:
    found = next((resource for resource in resources if str(resource.id) == name), None)
    if found is None:
        raise NotFoundException(detail=f"There is no {name!r} here.")
    return _response(_described(services, found), 200)


def _described(services: Services, resource: Any) -> Resource[Any]:
    """With its own address."""
    kind = type(resource).__name__
    path = f"{kind}s/{resource.id}" if not isinstance(resource, ServiceProviderConfig) else kind
    described: Resource[Any] = resource.model_copy(
        update={"meta": Meta(resource_type=kind, location=f"{services.scim.url}/{path}")}
    )
    return described
