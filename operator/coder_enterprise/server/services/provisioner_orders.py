"""What a daemon is told of the job that it got: made of what the job is for, in the transaction that gives it out."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.storage import (
    files,
    groups,
    template_versions,
    users,
    workspace_builds,
    workspaces,
)
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioner_jobs import Job
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.storage.users import User
from coder_enterprise.wire.provisioning import messages_pb2 as pb

IMPORT: Final = "template_version_import"
BUILD: Final = "workspace_build"
TRANSITIONS: Final = {"start": pb.START, "stop": pb.STOP, "delete": pb.DESTROY}


def order(connection: Connection, job: Job, access_url: str, variables: Variables) -> pb.AcquiredJob:
    """Raises `Undecipherable`.

    No session token and no SSH key of the workspace's owner are sent: there is nothing that would make them.
    """
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
        made.template_import.CopyFrom(_template_import(connection, job, initiator, access_url, variables))
    else:
        made.workspace_build.CopyFrom(_workspace_build(connection, job, access_url, variables))
    return made


def values_of(version: TemplateVersion, variables: Variables) -> list[pb.VariableValue]:
    return [pb.VariableValue(**variable) for variable in variables.plain(version)]


def _template_import(
    connection: Connection, job: Job, initiator: User, access_url: str, variables: Variables
) -> pb.AcquiredJob.TemplateImport:
    version = template_versions.by_job(connection, job.id)
    if version is None:
        raise AssertionError("an import is of a template version")
    metadata = pb.Metadata(
        coder_url=access_url,
        template_version=version.name,
        template_id=str(version.template_id or ""),
        workspace_owner=initiator.username,
        workspace_owner_id=str(initiator.id),
    )
    return pb.AcquiredJob.TemplateImport(metadata=metadata, user_variable_values=values_of(version, variables))


def _workspace_build(
    connection: Connection, job: Job, access_url: str, variables: Variables
) -> pb.AcquiredJob.WorkspaceBuild:
    build = workspace_builds.by_job(connection, job.id)
    if build is None:
        raise AssertionError("a build's job is made with the build")
    workspace = workspaces.get(connection, build.workspace_id)
    version = template_versions.get(connection, build.template_version_id)
    owner = users.get(connection, workspace.owner_id) if workspace else None
    if workspace is None or version is None or owner is None:
        raise AssertionError("a workspace is deleted by its last build, and users and versions stay")
    metadata = pb.Metadata(
        coder_url=access_url,
        workspace_transition=TRANSITIONS[build.transition],
        workspace_name=workspace.name,
        workspace_owner=owner.username,
        workspace_id=str(workspace.id),
        workspace_owner_id=str(owner.id),
        workspace_owner_email=owner.email,
        template_name=workspace.template_name,
        template_version=version.name,
        template_id=str(workspace.template_id),
        workspace_owner_name=owner.name,
        workspace_owner_groups=_group_names(connection, owner.id, workspace.organization_id),
        workspace_build_id=str(build.id),
        workspace_owner_login_type=owner.login_type,
    )
    return pb.AcquiredJob.WorkspaceBuild(
        workspace_build_id=str(build.id),
        workspace_name=workspace.name,
        rich_parameter_values=[pb.RichParameterValue(name=k, value=v) for k, v in build.parameters.items()],
        variable_values=values_of(version, variables),
        metadata=metadata,
        state=workspace_builds.state(connection, build.id),
    )


def _group_names(connection: Connection, user_id: UUID, organization_id: UUID) -> list[str]:
    joined = groups.group_ids_of(connection, user_id)
    return sorted(group.name for group in groups.of_organization(connection, organization_id) if group.id in joined)
