"""What a token can be narrowed to: Coder's public scopes, and which of them a route asks for.

A token that is narrowed may do what its user may, and of that only what its scopes say: `require` refuses it
everywhere else, so that a route that nobody thought of here is closed to it. Nothing here looks anything up.
`docs/reference/permissions.md` tells people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from coder_enterprise.server.errors import Forbidden

EVERYTHING: Final = "coder:all"
CONNECT: Final = "coder:application_connect"
ANY: Final = frozenset[str]()
"""What a route asks for that is open to every token."""

_ALIASES: Final = {"all": EVERYTHING, "application_connect": CONNECT}
_ACTIONS: Final[Mapping[str, str]] = {
    "workspace": "read create update delete start stop ssh application_connect",
    "template": "read create update delete use",
    "api_key": "read create update delete",
    "file": "read create",
    "user": "read read_personal update_personal",
    "organization": "read update delete",
}
"""What can be asked for by itself; `*` is all, and more."""
_MORE: Final[Mapping[str, str]] = {"user": "create update delete"}
_COMPOSED: Final[Mapping[str, str]] = {
    CONNECT: "workspace:application_connect",
    "coder:workspaces.create": "template:read template:use workspace:read workspace:create workspace:update",
    "coder:workspaces.operate": "template:read workspace:read workspace:update workspace:start workspace:stop",
    "coder:workspaces.delete": "template:read workspace:read workspace:delete",
    "coder:workspaces.access": "template:read workspace:read workspace:ssh workspace:application_connect",
    "coder:templates.build": "template:read file:read file:create",
    "coder:templates.author": "template:read template:create template:update template:delete file:read file:create",
    "coder:apikeys.manage_self": "api_key:read api_key:create api_key:update api_key:delete",
}


def _all_of(resource: str) -> frozenset[str]:
    actions = f"{_ACTIONS[resource]} {_MORE.get(resource, '')}".split()
    return frozenset(f"{resource}:{action}" for action in actions)


_GRANTS: Final[Mapping[str, frozenset[str]]] = {
    **{name: frozenset((name,)) for resource in _ACTIONS for name in sorted(_all_of(resource))},
    **{f"{resource}:*": _all_of(resource) for resource in _ACTIONS},
    **{name: frozenset(grants.split()) for name, grants in _COMPOSED.items()},
}
NAMES: Final = frozenset(
    {
        EVERYTHING,
        *_COMPOSED,
        *(f"{resource}:{action}" for resource, actions in _ACTIONS.items() for action in (*actions.split(), "*")),
    }
)
"""What can be asked for, besides the two older spellings."""


def canonical(names: Iterable[str]) -> list[str]:
    """In the spelling in which they are kept, each once; those that nobody knows, too."""
    return list(dict.fromkeys(_ALIASES.get(name, name) for name in names))


def granted(names: Iterable[str]) -> frozenset[str] | None:
    """What scopes allow, one by one; None is everything."""
    if EVERYTHING in names:
        return None
    return frozenset().union(*(_GRANTS.get(name, frozenset()) for name in names))


def covers(ours: frozenset[str] | None, theirs: frozenset[str] | None) -> bool:
    """Whether who may do ours may hand out theirs."""
    return ours is None or (theirs is not None and theirs <= ours)


_ROUTES: Final = """
GET    appearance
GET    applications/host
GET    deployment/ssh
GET    experiments
GET    experiments/available
GET    regions
POST   users/logout
GET    organizations                                           organization:read
GET    organizations/{}                                        organization:read
GET    users/{}/organizations                                  organization:read
GET    users/{}/organizations/{}                               organization:read
GET    users                                                   user:read
POST   users                                                   user:create
GET    users/{}                                                user:read
DELETE users/{}                                                user:delete
GET    users/{}/roles                                          user:read
PUT    users/{}/profile                                        user:update_personal
PUT    users/{}/password                                       user:update
PUT    users/{}/status/suspend                                 user:update
PUT    users/{}/status/activate                                user:update
GET    users/{}/quiet-hours                                    user:read_personal
PUT    users/{}/quiet-hours                                    user:update_personal
GET    workspace-quota/{}                                      user:read
GET    organizations/{}/members/{}/workspace-quota             user:read
GET    users/{}/keys/tokens                                    api_key:read
GET    users/{}/keys/tokens/tokenconfig                        api_key:read
GET    users/{}/keys/tokens/{}                                 api_key:read
GET    users/{}/keys/{}                                        api_key:read
POST   users/{}/keys/tokens                                    api_key:create
DELETE users/{}/keys/tokens/{}                                 api_key:delete
DELETE users/{}/keys/{}                                        api_key:delete
POST   files                                                   file:create
GET    files/{}                                                file:read
GET    templates                                               template:read
GET    templates/examples                                      template:read
GET    templates/{}                                            template:read
PATCH  templates/{}                                            template:update
DELETE templates/{}                                            template:delete
GET    templates/{}/acl                                        template:read
PATCH  templates/{}/acl                                        template:update
GET    templates/{}/acl/available                              template:update
GET    templates/{}/versions                                   template:read
PATCH  templates/{}/versions                                   template:update
GET    templates/{}/versions/{}                                template:read
GET    organizations/{}/templates                              template:read
POST   organizations/{}/templates                              template:create
GET    organizations/{}/templates/{}                           template:read
GET    organizations/{}/templates/{}/versions/{}               template:read
GET    organizations/{}/templates/{}/versions/{}/previous      template:read
POST   organizations/{}/templateversions                       template:create template:update
GET    templateversions/{}                                     template:read
PATCH  templateversions/{}                                     template:update
PATCH  templateversions/{}/cancel                              template:update
POST   templateversions/{}/dry-run                             workspace:create
GET    templateversions/{}/dry-run/{}                          workspace:create
GET    templateversions/{}/dry-run/{}/logs                     workspace:create
GET    templateversions/{}/dry-run/{}/matched-provisioners     workspace:create
GET    templateversions/{}/dry-run/{}/resources                workspace:create
PATCH  templateversions/{}/dry-run/{}/cancel                   workspace:create
GET    templateversions/{}/external-auth                       template:read
GET    templateversions/{}/logs                                template:read
GET    templateversions/{}/presets                             template:read
GET    templateversions/{}/resources                           template:read
GET    templateversions/{}/rich-parameters                     template:read
GET    templateversions/{}/variables                           template:read
GET    workspaces                                              workspace:read
GET    workspaces/{}                                           workspace:read
GET    workspaces/{}/builds                                    workspace:read
POST   workspaces/{}/builds                                    workspace:start workspace:stop workspace:delete
PUT    workspaces/{}/autostart                                 workspace:update
PUT    workspaces/{}/ttl                                       workspace:update
PUT    workspaces/{}/dormant                                   workspace:update
GET    workspacebuilds/{}                                      workspace:read
GET    workspacebuilds/{}/logs                                 workspace:read
GET    workspacebuilds/{}/parameters                           workspace:read
PATCH  workspacebuilds/{}/cancel                               workspace:update
POST   organizations/{}/members/{}/workspaces                  workspace:create
POST   users/{}/workspaces                                     workspace:create
GET    users/{}/workspace/{}                                   workspace:read
GET    users/{}/workspace/{}/builds/{}                         workspace:read
"""
"""Below the API's root, with what they ask for: any of it is enough.

A new session (POST users/{}/keys) is not here: it would be more than the token that asks for it.
"""
ROUTES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    (method, path): frozenset(wanted)
    for method, path, *wanted in (line.split() for line in _ROUTES.splitlines() if line)
}
_PARAMETER: Final = re.compile(r"\{[^}]*\}")


def wanted_by(method: str, path: str) -> frozenset[str] | None:
    """What the route asks for, any of which is enough; None is closed to every token that is narrowed.

    The path is the one that was declared, below the API's root, however its parameters are called.
    """
    return ROUTES.get((method, _PARAMETER.sub("{}", path)))


def require(ours: frozenset[str] | None, wanted: frozenset[str] | None) -> None:
    """Any of what is wanted is enough, and every token where nothing is; None is closed to all that are narrowed.

    Raises `Forbidden`.
    """
    if ours is None or (wanted is not None and (not wanted or wanted & ours)):
        return
    detail = f"It needs the scope {' or '.join(sorted(wanted or [EVERYTHING]))}."
    raise Forbidden("The token is narrowed to less than this.", detail)
