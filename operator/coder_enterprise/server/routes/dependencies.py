"""What the routes ask for: the services, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Response
from starlette.requests import HTTPConnection

from coder_enterprise.server.access import Actor
from coder_enterprise.server.routes.answers import answer, answer_list
from coder_enterprise.server.routes.logs import note_user
from coder_enterprise.server.routes.openapi import BEARER, SESSION_COOKIE, SESSION_HEADER, secured_by
from coder_enterprise.server.services.appearance import Appearance
from coder_enterprise.server.services.audit_logs import Audit
from coder_enterprise.server.services.authorization import Authorization
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.entitlements import Entitlements
from coder_enterprise.server.services.files import Files
from coder_enterprise.server.services.groups import Groups
from coder_enterprise.server.services.job_logs import JobLogs
from coder_enterprise.server.services.licenses import Licenses
from coder_enterprise.server.services.members import Members
from coder_enterprise.server.services.metrics import ServiceMetrics
from coder_enterprise.server.services.observations import Observations
from coder_enterprise.server.services.organizations import Organizations
from coder_enterprise.server.services.provisioner_daemons import ProvisionerDaemons
from coder_enterprise.server.services.provisioner_jobs import ProvisionerJobs
from coder_enterprise.server.services.provisioner_keys import ProvisionerKeys
from coder_enterprise.server.services.proxies import Proxies
from coder_enterprise.server.services.quiet_hours import QuietHours
from coder_enterprise.server.services.readiness import Readiness
from coder_enterprise.server.services.registrations import Registrations
from coder_enterprise.server.services.replicas import Replicas
from coder_enterprise.server.services.retention import Retention
from coder_enterprise.server.services.scim import Scim
from coder_enterprise.server.services.sessions import Sessions
from coder_enterprise.server.services.template_acls import TemplateACLs
from coder_enterprise.server.services.template_versions import TemplateVersions
from coder_enterprise.server.services.templates import Templates
from coder_enterprise.server.services.tokens import Tokens
from coder_enterprise.server.services.users import Users
from coder_enterprise.server.services.workspace_builds import WorkspaceBuilds
from coder_enterprise.server.services.workspace_quota import WorkspaceQuotas
from coder_enterprise.server.services.workspaces import Workspaces
from coder_enterprise.wire.common import RESPONSE, Envelope
from coder_enterprise.wire.profiles import Profile, Shape

T = TypeVar("T")

SESSION_TOKEN: Final = "coder_session_token"  # noqa: S105
"""The cookie, and the query parameter."""
API: Final = "/api/v2"


@dataclass(frozen=True)
class Services:
    profile: Profile
    deployment: Deployment
    observations: Observations
    authorization: Authorization
    sessions: Sessions
    users: Users
    organizations: Organizations
    groups: Groups
    scim: Scim
    entitlements: Entitlements
    licenses: Licenses
    appearance: Appearance
    members: Members
    templates: Templates
    template_acls: TemplateACLs
    quiet_hours: QuietHours
    tokens: Tokens
    audit: Audit
    proxies: Proxies
    readiness: Readiness
    registrations: Registrations
    replicas: Replicas
    provisioner_daemons: ProvisionerDaemons
    provisioner_keys: ProvisionerKeys
    provisioner_jobs: ProvisionerJobs
    job_logs: JobLogs
    files: Files
    retention: Retention
    template_versions: TemplateVersions
    workspaces: Workspaces
    workspace_builds: WorkspaceBuilds
    workspace_quotas: WorkspaceQuotas
    metrics: ServiceMetrics

    def answer(self, shape: Shape[T], value: T) -> Response:
        return answer(self.profile, shape, value)

    async def answer_list(self, shape: Shape[T], value: T) -> Response:
        """For what may be long. Raises `Overloaded`."""
        return await answer_list(self.profile, shape, value)

    def done(self, message: str) -> Response:
        """A success that has nothing else to show."""
        return self.answer(RESPONSE, Envelope(message=message))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what for: one dependency, because each one costs as much as a query."""

    actor: Actor
    services: Services

    def answer(self, shape: Shape[T], value: T) -> Response:
        return self.services.answer(shape, value)

    async def answer_list(self, shape: Shape[T], value: T) -> Response:
        return await self.services.answer_list(shape, value)

    def done(self, message: str) -> Response:
        return self.services.done(message)


async def _services(request: HTTPConnection) -> Services:
    services: Services = request.app.state.services
    return services


@secured_by(SESSION_HEADER, SESSION_COOKIE, BEARER)
async def _caller(request: HTTPConnection) -> Caller:
    """Raises `Unauthorized`."""
    services = await _services(request)
    actor = await services.sessions.authenticate(session_token(request))
    note_user(request.scope, actor.username)
    return Caller(actor, services)


def session_token(request: HTTPConnection) -> str:
    """The first that is sent of cookie, query parameter, Coder-Session-Token and Authorization; else ""."""
    found = (
        request.cookies.get(SESSION_TOKEN)
        or request.query_params.get(SESSION_TOKEN)
        or request.headers.get("coder-session-token")
    )
    if found:
        return found
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


Public = Annotated[Services, Depends(_services)]
"""For routes that need no session."""
Authenticated = Annotated[Caller, Depends(_caller)]
