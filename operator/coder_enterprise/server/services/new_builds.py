"""A new build of a workspace: after the last one, with its state and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID, uuid4

from coder_enterprise.server import names
from coder_enterprise.server.access import Actor
from coder_enterprise.server.errors import Conflict, invalid
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning.job_queue import new_job
from coder_enterprise.server.services.provisioning.orders import BUILD
from coder_enterprise.server.storage import workspace_builds
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning import provisioner_jobs as stored_jobs
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.server.storage.workspace_builds import Build as BuildRow
from coder_enterprise.server.storage.workspaces import Workspace
from coder_enterprise.wire.template_versions import Preset
from coder_enterprise.wire.workspaces import CreateWorkspaceBuildRequest, CreateWorkspaceRequest


def add_build(
    connection: Connection,
    actor: Actor,
    workspace: Workspace,
    version: TemplateVersion,
    transition: str,
    request: CreateWorkspaceRequest | CreateWorkspaceBuildRequest,
) -> BuildRow:
    """After the last one, with its state and its parameters. `announce` must follow.

    Raises `BadRequest` for parameters and the preset, and `Conflict` while the last build is not over.
    """
    last = workspace_builds.latest(connection, [workspace.id]).get(workspace.id)
    if last is not None:
        _require_over(connection, last)
    preset = _preset(version, request.template_version_preset_id)
    sent = {
        value.name: value.value for value in [*request.rich_parameter_values, *(preset.parameters if preset else ())]
    }
    parameters = parameters_of(version, last.parameters if last else {}, sent, is_start=transition == "start")
    build_id, moment = uuid4(), now()
    job_id = _new_job(connection, actor, workspace, version, build_id)
    row = BuildRow(
        id=build_id,
        workspace_id=workspace.id,
        template_version_id=version.id,
        job_id=job_id,
        initiator_id=actor.id,
        build_number=last.build_number + 1 if last else 1,
        transition=transition,
        daily_cost=0,
        parameters=parameters,
        created_at=moment,
        updated_at=moment,
        template_version_name=version.name,
        initiator_name=actor.username,
        preset_id=preset.id if preset else None,
    )
    workspace_builds.create(connection, row, workspace_builds.state(connection, last.id) if last else b"")
    return row


def _require_over(connection: Connection, build: BuildRow) -> None:
    if stored_jobs.known(connection, build.job_id).completed_at is None:
        raise Conflict("A workspace build is already active.", "Wait until it is over, or cancel it.")


def _new_job(
    connection: Connection, actor: Actor, workspace: Workspace, version: TemplateVersion, build_id: UUID
) -> UUID:
    """The daemon must have the tags that the template version was made with; a user's daemon is the owner's."""
    made = stored_jobs.known(connection, version.job_id)
    return new_job(
        connection,
        actor.id,
        workspace.organization_id,
        BUILD,
        (made.file_id, made.provisioner),
        input={"workspace_build_id": str(build_id)},
        tags=job_tags.normalized({**made.tags, **version.workspace_tags}, workspace.owner_id),
    )


def _preset(version: TemplateVersion, reference: str) -> Preset | None:
    """Raises `BadRequest`."""
    if not reference:
        return None
    found = [item for item in version.presets if UUID(item["id"]) == names.as_uuid(reference)]
    if not found:
        raise invalid(template_version_preset_id="is no preset of this template version")
    return Preset.model_validate(found[0])


def parameters_of(
    version: TemplateVersion, before: Mapping[str, str], given: Mapping[str, str], *, is_start: bool
) -> dict[str, str]:
    """Those of the version, as they were sent, else as they were before, else their defaults. Raises `BadRequest`."""
    known = {str(parameter["name"]): parameter for parameter in version.parameters}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise invalid(rich_parameter_values=f"{unknown[0]!r} is not a parameter of this template version")
    values: dict[str, str] = {}
    for name, parameter in known.items():
        if name in given and name in before and given[name] != before[name] and not parameter["mutable"]:
            raise invalid(rich_parameter_values=f"{name!r} cannot be changed after the workspace was created")
        kept = {} if parameter["ephemeral"] else before
        if name in given or name in kept or not parameter["required"]:
            values[name] = given.get(name, kept.get(name, parameter["default_value"]))
        elif is_start:
            raise invalid(rich_parameter_values=f"{name!r} needs a value")
    return values
