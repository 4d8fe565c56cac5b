"""What a daemon is told of the job that it got: made of what the job is for, in the transaction that gives it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from coder_enterprise.server.access import MEMBER
from coder_enterprise.server.services import workspace_tokens
from coder_enterprise.server.services.default_organization import EVERYONE
from coder_enterprise.server.services.git_ssh_keys import GitSSHKeys
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.storage import (
    files,
    groups,
    organizations,
    template_versions,
    users,
    workspace_builds,
    workspaces,
)
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.storage.users import User
from coder_enterprise.server.storage.workspace_builds import Build
from coder_enterprise.server.storage.workspaces import Workspace
from coder_enterprise.wire.provisioning import messages_pb2 as pb

IMPORT: Final = "template_version_import"
BUILD: Final = "workspace_build"
DRY_RUN: Final = "template_version_dry_run"
ORGANIZATION_MEMBER: Final = "organization-member"
TRANSITIONS: Final = {"start": pb.START, "stop": pb.STOP, "delete": pb.DESTROY}


class DryRun(NamedTuple):
    """What is asked for, as the job keeps it."""

    template_version_id: str
    workspace_name: str
    parameters: dict[str, str]


@dataclass(frozen=True)
class Orders:
    """What is the same for all jobs: where the server is, what deciphers, and who gets session tokens."""

    access_url: str
    variables: Variables
    ssh_keys: GitSSHKeys
    session_tokens: bool
    """Whether a workspace that starts gets one of its owner."""

    def order(self, connection: Connection, job: Job) -> pb.AcquiredJob:
        """Raises `Undecipherable`."""
        initiator, file = users.get(connection, job.initiator_id), files.get(connection, job.file_id)
        if initiator is None or file is None:
            raise AssertionError("users and files of jobs are never deleted")
        made = pb.AcquiredJob(
            job_id=str(job.id),
            created_at=int(job.created_at.timestamp() * 1000),
            provisioner=job.provisioner,
            user_name=initiator.username,
            template_source_archive=file.data,
        )
        if job.type == IMPORT:
            made.template_import.CopyFrom(self._template_import(connection, job, initiator))
        elif job.type == DRY_RUN:
            made.template_dry_run.CopyFrom(self._dry_run(connection, DryRun(**job.input)))
        else:
            made.workspace_build.CopyFrom(self._workspace_build(connection, job))
        return made

    def _template_import(self, connection: Connection, job: Job, initiator: User) -> pb.AcquiredJob.TemplateImport:
        version = template_versions.by_job(connection, job.id)
        if version is None:
            raise AssertionError("an import is of a template version")
        metadata = pb.Metadata(
            coder_url=self.access_url,
            template_version=version.name,
            template_version_id=str(version.id),
            template_id=str(version.template_id or ""),
            workspace_owner=initiator.username,
            workspace_owner_id=str(initiator.id),
            workspace_owner_groups=[EVERYONE],
        )
        values = values_of(version, self.variables)
        return pb.AcquiredJob.TemplateImport(metadata=metadata, user_variable_values=values)

    def _dry_run(self, connection: Connection, asked: DryRun) -> pb.AcquiredJob.TemplateDryRun:
        """Nobody's: it is told nothing of who asked for it, as in Coder."""
        version = template_versions.get(connection, UUID(asked.template_version_id))
        if version is None:
            raise AssertionError("versions stay")
        metadata = pb.Metadata(
            coder_url=self.access_url, workspace_name=asked.workspace_name, workspace_owner_groups=[EVERYONE]
        )
        return pb.AcquiredJob.TemplateDryRun(
            rich_parameter_values=_parameter_values(asked.parameters),
            variable_values=values_of(version, self.variables),
            metadata=metadata,
        )

    def _workspace_build(self, connection: Connection, job: Job) -> pb.AcquiredJob.WorkspaceBuild:
        build = workspace_builds.by_job(connection, job.id)
        if build is None:
            raise AssertionError("a build's job is made with the build")
        workspace = workspaces.get(connection, build.workspace_id)
        version = template_versions.get(connection, build.template_version_id)
        owner = users.get(connection, workspace.owner_id) if workspace else None
        if workspace is None or version is None or owner is None:
            raise AssertionError("a workspace is deleted by its last build, and users and versions stay")
        values = values_of(version, self.variables)
        public_key, private_key = self.ssh_keys.pair(connection, owner)
        before = workspace_builds.by_number(connection, workspace.id, build.build_number - 1)
        metadata = pb.Metadata(
            coder_url=self.access_url,
            workspace_transition=TRANSITIONS[build.transition],
            workspace_name=workspace.name,
            workspace_id=str(workspace.id),
            workspace_build_id=str(build.id),
            template_name=workspace.template_name,
            template_id=str(workspace.template_id),
            template_version=version.name,
            template_version_id=str(version.id),
            template_version_modules_file=str(version.module_file_id or ""),
            workspace_owner_ssh_public_key=public_key,
            workspace_owner_ssh_private_key=private_key,
        )
        metadata.MergeFrom(_of_owner(connection, owner, workspace.organization_id))
        metadata.workspace_owner_session_token = self._session_token(connection, workspace, owner, build)
        return pb.AcquiredJob.WorkspaceBuild(
            workspace_build_id=str(build.id),
            workspace_name=workspace.name,
            rich_parameter_values=_parameter_values(build.parameters),
            previous_parameter_values=_parameter_values(before.parameters if before else {}),
            variable_values=values,
            metadata=metadata,
            state=workspace_builds.state(connection, build.id),
        )

    def _session_token(self, connection: Connection, workspace: Workspace, owner: User, build: Build) -> str:
        """A new one for a workspace that starts; the one of an earlier start ends with every build."""
        workspace_tokens.end(connection, workspace, build.initiator_id)
        if not self.session_tokens or build.transition != "start":
            return ""
        return workspace_tokens.begin(connection, workspace, owner, build.initiator_id)


def values_of(version: TemplateVersion, variables: Variables) -> list[pb.VariableValue]:
    return [pb.VariableValue(**variable) for variable in variables.plain(version)]


def _parameter_values(parameters: Mapping[str, str]) -> list[pb.RichParameterValue]:
    return [pb.RichParameterValue(name=name, value=value) for name, value in parameters.items()]


def _of_owner(connection: Connection, owner: User, organization_id: UUID) -> pb.Metadata:
    return pb.Metadata(
        workspace_owner=owner.username,
        workspace_owner_id=str(owner.id),
        workspace_owner_email=owner.email,
        workspace_owner_name=owner.name,
        workspace_owner_login_type=owner.login_type,
        workspace_owner_groups=_group_names(connection, owner.id, organization_id),
        workspace_owner_rbac_roles=_roles(connection, owner, organization_id),
    )


def _roles(connection: Connection, owner: User, organization_id: UUID) -> list[pb.Role]:
    """Also those that everybody has, and that every member of the organization has; Coder names them so."""
    found = [pb.Role(name=name) for name in (*owner.roles, MEMBER)]
    if organizations.members_among(connection, organization_id, [owner.id]):
        found.append(pb.Role(name=ORGANIZATION_MEMBER, org_id=str(organization_id)))
    return found


def _group_names(connection: Connection, user_id: UUID, organization_id: UUID) -> list[str]:
    joined = groups.group_ids_of(connection, user_id)
    return sorted(group.name for group in groups.of_organization(connection, organization_id) if group.id in joined)
