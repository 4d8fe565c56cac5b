"""What a daemon says of its job, put where it belongs: to the template version, or to the workspace and its build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server.services import provisioner_tags
from coder_enterprise.server.services.provisioner_orders import BUILD, IMPORT
from coder_enterprise.server.services.variables import Undecipherable, Variable, Variables
from coder_enterprise.server.storage import template_versions, workspace_builds, workspaces
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioner_jobs import Job
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.wire.provisioning import messages_pb2 as pb
from coder_enterprise.wire.provisioning.calls import RPCError

MAX_README: Final = 1024 * 1024
"""Characters."""
KINDS: Final = {IMPORT: "template_import", BUILD: "workspace_build"}
"""How messages about a job name its type."""


def clean(text: str) -> str:
    """PostgreSQL keeps no NUL."""
    return text.replace("\0", "")


def note_template(
    connection: Connection, job: Job, request: pb.UpdateJobRequest, variables: Variables
) -> list[pb.VariableValue]:
    """Keep what was read of a template; the values of its variables, if these were sent.

    Raises `RPCError` when one has no value and needs one, or one that cannot be deciphered, and `BadRequest` for tags
    that cannot be.
    """
    version = template_versions.by_job(connection, job.id)
    if version is None:
        return []
    changes: dict[str, Any] = {}
    values: list[Variable] = []
    if request.readme:
        changes["readme"] = clean(request.readme.decode(errors="replace"))[:MAX_README]
    if request.workspace_tags:
        provisioner_tags.check(request.workspace_tags, "workspace_tags")
        changes["workspace_tags"] = dict(request.workspace_tags)
    if request.template_variables:
        values = _values(request.template_variables, _plain(version, variables))
        changes["variables"] = variables.kept(version.id, values)
    if changes:
        template_versions.update_fields(connection, version.id, {**changes, "updated_at": job.updated_at})
    return [pb.VariableValue(**value) for value in values]


def _plain(version: TemplateVersion, variables: Variables) -> list[Variable]:
    """Raises `RPCError`."""
    try:
        return variables.plain(version)
    except Undecipherable as error:
        raise RPCError(str(error)) from None


def complete(connection: Connection, job: Job, request: pb.CompletedJob, moment: datetime) -> list[dict[str, Any]]:
    """The resources. Raises `RPCError` when the message is for another type of job."""
    _require(job, request.WhichOneof("type"))
    if job.type == IMPORT:
        done = request.template_import
        _complete_import(connection, job, done, moment)
        return [*_resources(done.start_resources, "start"), *_resources(done.stop_resources, "stop")]
    build = workspace_builds.by_job(connection, job.id)
    if build is None:
        raise AssertionError("a build's job is made with the build")
    values = {"state": request.workspace_build.state, "updated_at": moment}
    workspace_builds.update_fields(connection, build.id, values)
    if build.transition == "delete":
        workspaces.delete(connection, build.workspace_id, moment)
    return _resources(request.workspace_build.resources, build.transition)


def fail(connection: Connection, job: Job, request: pb.FailedJob, moment: datetime) -> None:
    """Keep the state that half a build has left. Raises `RPCError` when the message is for another type of job."""
    kind = request.WhichOneof("type")
    if kind is not None:
        _require(job, kind)
    build = workspace_builds.by_job(connection, job.id)
    if build is not None and request.workspace_build.state:
        values = {"state": request.workspace_build.state, "updated_at": moment}
        workspace_builds.update_fields(connection, build.id, values)


def _require(job: Job, kind: str | None) -> None:
    if kind != KINDS[job.type]:
        raise RPCError(f"job {job.id} is a {KINDS[job.type]}, and the message is for {kind or 'nothing'}")


def _values(variables: Iterable[pb.TemplateVariable], known: Sequence[Variable]) -> list[Variable]:
    sent = {variable["name"]: variable["value"] for variable in known}
    missing = [item.name for item in variables if item.required and not sent.get(item.name, item.default_value)]
    if missing:
        raise RPCError(f"required template variables need values: {', '.join(missing)}")
    return [
        {
            "name": clean(item.name),
            "value": clean(sent.get(item.name, item.default_value)),
            "sensitive": item.sensitive,
        }
        for item in variables
    ]


def _complete_import(connection: Connection, job: Job, done: pb.CompletedJob.TemplateImport, moment: datetime) -> None:
    version = template_versions.by_job(connection, job.id)
    if version is None:
        raise AssertionError("an import is of a template version")
    parameters = [
        {
            "name": clean(item.name),
            "required": item.required,
            "default_value": clean(item.default_value),
            "mutable": item.mutable,
            "ephemeral": item.ephemeral,
            **_asked(item),
        }
        for item in sorted(done.rich_parameters, key=lambda item: item.order)
    ]
    template_versions.update_fields(connection, version.id, {"parameters": parameters, "updated_at": moment})


def _asked(item: pb.RichParameter) -> dict[str, Any]:
    """How people are asked for the parameter."""
    bounds = {name: getattr(item, name) for name in ("validation_min", "validation_max") if item.HasField(name)}
    validation = ("validation_error", "validation_regex", "validation_monotonic")
    texts = ("display_name", "description", "type", "icon", *validation)
    options = [
        {name: clean(getattr(option, name)) for name in ("name", "description", "value", "icon")}
        for option in item.options
    ]
    return {**bounds, **{name: clean(getattr(item, name)) for name in texts}, "options": options}


def _resources(found: Iterable[pb.Resource], transition: str) -> list[dict[str, Any]]:
    return [
        {
            "id": str(uuid4()),
            "workspace_transition": transition,
            "type": clean(item.type),
            "name": clean(item.name),
            "hide": item.hide,
            "icon": clean(item.icon),
            "daily_cost": item.daily_cost,
        }
        for item in found
    ]


def job_id_of(text: str) -> UUID:
    """Raises `RPCError`."""
    try:
        return UUID(text)
    except ValueError:
        raise RPCError(f"{text!r} is not the id of a job") from None
