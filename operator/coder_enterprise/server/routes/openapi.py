"""The OpenAPI document: made for `app`, and for the generator that writes it to docs/reference/openapi.json.

FastAPI knows the routes and what they answer. What it cannot know is added here: bodies that routes read themselves,
how requests authenticate, and how they are refused.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from coder_enterprise.wire.buildinfo import VERSION
from coder_enterprise.wire.common import Envelope

F = TypeVar("F", bound=Callable[..., Any])
Part = dict[str, Any]

TITLE: Final = "Coder Enterprise API"
SCHEMAS: Final = "#/components/schemas/"

SESSION_HEADER: Final = "SessionHeader"
SESSION_COOKIE: Final = "SessionCookie"
BEARER: Final = "SessionBearer"
PROXY_HEADER: Final = "ProxyHeader"
DAEMON_KEY: Final = "ProvisionerKey"
DAEMON_PSK: Final = "ProvisionerPSK"
SCIM_KEY: Final = "IdentityProviderKey"
_SCHEMES: Final[Mapping[str, Part]] = {
    SESSION_HEADER: {"type": "apiKey", "in": "header", "name": "Coder-Session-Token"},
    SESSION_COOKIE: {"type": "apiKey", "in": "cookie", "name": "coder_session_token"},
    BEARER: {"type": "http", "scheme": "bearer"},
    PROXY_HEADER: {"type": "apiKey", "in": "header", "name": "Coder-External-Proxy-Token"},
    DAEMON_KEY: {"type": "apiKey", "in": "header", "name": "Coder-Provisioner-Daemon-Key"},
    DAEMON_PSK: {"type": "apiKey", "in": "header", "name": "Coder-Provisioner-Daemon-PSK"},
    SCIM_KEY: {"type": "apiKey", "in": "header", "name": "Authorization"},
}

_PARAMETERS: Final[Mapping[str, Part]] = {
    "group": {"description": "Group id", "schema": {"format": "uuid"}},
    "groupName": {"description": "Group name"},
    "key": {"description": "Key id, or the name of a token"},
    "organization": {"description": "Organization id or name, or `default`"},
    "template": {"description": "Template id", "schema": {"format": "uuid"}},
    "user": {"description": "User id or name, or `me`"},
    "workspaceproxy": {"description": "Proxy id or name"},
}

_REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BadRequest", "The request cannot be read, or breaks a rule"),
    401: ("Unauthorized", "No valid token"),
    403: ("Forbidden", "Not allowed, or not licensed"),
    404: ("NotFound", "Not there, or not for the caller to see"),
    409: ("Conflict", "Another one has what must be unique"),
    410: ("Gone", "It was deleted"),
    412: ("PreconditionFailed", "Not in the state for that"),
    413: ("TooLarge", "The body is too large"),
    425: ("TooEarly", "Not imported yet"),
    426: ("UpgradeRequired", "The route is a websocket"),
    429: ("TooMany", "Too many requests; see the header Retry-After"),
    500: ("Fault", "A fault of the server"),
    503: ("Unavailable", "The database does not answer; see the header Retry-After"),
}
_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})
_SCIM_ERROR: Final[Part] = {
    "type": "object",
    "title": "SCIMError",
    "required": ["schemas", "status", "detail"],
    "properties": {
        "schemas": {"type": "array", "items": {"type": "string"}},
        "status": {"type": "string"},
        "scimType": {"type": "string"},
        "detail": {"type": "string"},
    },
}

_security: dict[Callable[..., Any], Sequence[str]] = {}


def secured_by(*schemes: str) -> Callable[[F], F]:
    """Marks a dependency that authenticates: one of the schemes will do."""

    def mark(dependency: F) -> F:
        _security[dependency] = schemes
        return dependency

    return mark


def any_of(*schemes: str) -> list[Part]:
    """The requirement that one of the schemes fulfils."""
    return [{scheme: []} for scheme in schemes]


def document(routes: Sequence[BaseRoute]) -> Part:
    """The same on every machine."""
    made = get_openapi(title=TITLE, version=VERSION, routes=routes)
    schemas: Part = made.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    answers = frozenset(schemas)
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = made["paths"][route.path_format][method.lower()]
                schemas.update(_move_body(operation, answers))
                _complete(operation, route, method)
    schemas |= _envelope() | {"SCIMError": _SCIM_ERROR}
    made["components"] = {
        "responses": dict(_refusals()),
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": dict(_SCHEMES),
    }
    return made


def _complete(operation: Part, route: APIRoute, method: str) -> None:
    for parameter in operation.get("parameters", ()):
        known = _PARAMETERS.get(parameter["name"], {}) if parameter["in"] == "path" else {}
        parameter["schema"] = known.get("schema", {}) | parameter["schema"]
        parameter.setdefault("description", known.get("description", parameter["schema"].get("title", "")))
    operation.setdefault("security", any_of(*dict.fromkeys(_schemes(route.dependant))))
    answers: Part = operation["responses"]
    answers.pop("422", None)
    refused = {*_refused(operation, route, method), *(int(status) for status in answers if int(status) >= 400)}
    prefix = "SCIM" if {SCIM_KEY: []} in operation["security"] else ""
    answers |= {str(status): {"$ref": f"#/components/responses/{prefix}{_REFUSALS[status][0]}"} for status in refused}
    operation["responses"] = dict(sorted(answers.items()))


def _refused(operation: Part, route: APIRoute, method: str) -> Iterator[int]:
    """What a route answers by what it is; others are named in its decorator."""
    yield from (400, 500)
    if route.path.startswith("/api/"):
        yield from (429, 503)
    if operation["security"]:
        yield from (401, 403)
    if route.dependant.path_params:
        yield 404
    if method in _WRITES:
        yield 409
    if "requestBody" in operation:
        yield 413


def _schemes(dependant: Dependant) -> Iterator[str]:
    if dependant.call is not None:
        yield from _security.get(dependant.call, ())
    for inner in dependant.dependencies:
        yield from _schemes(inner)


def _refusals() -> Iterator[tuple[str, Part]]:
    envelope = {"application/json": {"schema": {"$ref": f"{SCHEMAS}{Envelope.__name__}"}}}
    scim = {"application/scim+json": {"schema": {"$ref": f"{SCHEMAS}SCIMError"}}}
    for name, description in _REFUSALS.values():
        yield name, {"description": description, "content": envelope}
    for name, description in _REFUSALS.values():
        yield f"SCIM{name}", {"description": description, "content": scim | envelope}


def _envelope() -> Part:
    schema = Envelope.model_json_schema(mode="serialization", ref_template=f"{SCHEMAS}{{model}}")
    return {**schema.pop("$defs"), Envelope.__name__: schema}


# Bodies


def _move_body(operation: Part, answers: Iterable[str]) -> Part:
    """Puts a reference in the place of the body's schema; that schema and those within, by name."""
    if "application/json" not in operation.get("requestBody", {}).get("content", {}):
        return {}
    request = operation["requestBody"] = copy.deepcopy(operation["requestBody"])
    content: Part = request["content"]["application/json"]
    schema: Part = content["schema"]
    found = {**schema.pop("$defs", {}), schema["title"]: schema}
    names = {f"{SCHEMAS}{name}": f"{SCHEMAS}{_body_name(name, answers)}" for name in found}
    content["schema"] = {"$ref": f"{SCHEMAS}{_body_name(schema['title'], answers)}"}
    return {_body_name(name, answers): _renamed(part, names) for name, part in found.items()}


def _body_name(name: str, answers: Iterable[str]) -> str:
    """What is optional in a body is in every answer, so that a model has two schemas."""
    return f"{name}Input" if name in answers else name


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_renamed(item, names) for item in part]
    if not isinstance(part, dict):
        return part
    return {key: names[item] if key == "$ref" else _renamed(item, names) for key, item in part.items()}
