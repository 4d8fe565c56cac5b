"""What a daemon says of its job, put where it belongs: to the template version, or to the workspace and its build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from coder_enterprise.server.rpc.calls import RPCError
from coder_enterprise.server.services.provisioning import job_tags
from coder_enterprise.server.services.provisioning.orders import BUILD, DRY_RUN, IMPORT
from coder_enterprise.server.services.variables import Undecipherable, Variable, Variables
from coder_enterprise.server.storage import template_versions, workspace_builds, workspaces
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.provisioning import module_files
from coder_enterprise.server.storage.provisioning.module_files import ModuleFile
from coder_enterprise.server.storage.provisioning.provisioner_jobs import Job
from coder_enterprise.server.storage.template_versions import TemplateVersion
from coder_enterprise.wire.provisioning import messages_pb2 as pb

PIECE: Final = 2 * 1024 * 1024
"""Bytes of a modules file that are kept, and sent, at once."""
MAX_README: Final = 1024 * 1024
"""Characters."""
DISPLAY_APPS: Final = ("vscode", "vscode_insiders", "web_terminal", "port_forwarding_helper", "ssh_helper")
FORMS: Final[Mapping[int, str]] = {
    pb.FORM_ERROR: "error",
    pb.RADIO: "radio",
    pb.DROPDOWN: "dropdown",
    pb.INPUT: "input",
    pb.TEXTAREA: "textarea",
    pb.SLIDER: "slider",
    pb.CHECKBOX: "checkbox",
    pb.SWITCH: "switch",
    pb.TAGSELECT: "tag-select",
    pb.MULTISELECT: "multi-select",
}
"""How forms are called in the API, where a template names one."""
KINDS: Final = {IMPORT: "template_import", BUILD: "workspace_build", DRY_RUN: "template_dry_run"}
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
        job_tags.check(request.workspace_tags, "workspace_tags")
        changes["workspace_tags"] = dict(request.workspace_tags)
    if request.template_variables:
        values = _values(request.template_variables, _plain(version, variables))
        changes["variables"] = variables.kept(version.id, values)
        changes["variable_definitions"] = [_defined(item) for item in request.template_variables]
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
    if job.type == DRY_RUN:
        return _resources(request.template_dry_run.resources, "start")
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


def _defined(item: pb.TemplateVariable) -> dict[str, Any]:
    """But for the default of a sensitive one: it is a value, and kept as values are."""
    return {
        "name": clean(item.name),
        "description": clean(item.description),
        "type": clean(item.type),
        "default_value": "" if item.sensitive else clean(item.default_value),
        "required": item.required,
    }


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
    values = {
        "parameters": parameters,
        "module_file_id": _modules(connection, job, done, moment),
        "has_external_agent": done.has_external_agents,
        "presets": [_preset(item) for item in done.presets],
        "updated_at": moment,
    }
    template_versions.update_fields(connection, version.id, values)


def _modules(connection: Connection, job: Job, done: pb.CompletedJob.TemplateImport, moment: datetime) -> UUID | None:
    """The file of the modules, which came with the message or before it. The same modules are kept once.

    Raises `RPCError` when it should have come before, and did not.
    """
    digest = hashlib.sha256(done.module_files).hexdigest() if done.module_files else done.module_files_hash.hex()
    if not digest:
        return None
    brought = module_files.of_job(connection, job.id, digest)
    if brought is None and not done.module_files:
        raise RPCError(f"the modules file with the hash {digest} was not uploaded")
    used = module_files.used(connection, job.organization_id, digest)
    if used is not None:
        return used.id
    if brought is None:
        return _kept(connection, job, digest, done.module_files, moment)
    module_files.use(connection, brought.id)
    return brought.id


def _kept(connection: Connection, job: Job, digest: str, data: bytes, moment: datetime) -> UUID:
    pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    file = ModuleFile(uuid4(), job.organization_id, digest, len(data), len(pieces), None, True, moment)
    module_files.create(connection, file)
    for number, piece in enumerate(pieces):
        module_files.add_piece(connection, file.id, number, piece)
    return file.id


def _preset(item: pb.Preset) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "name": clean(item.name),
        "parameters": [{"name": clean(value.name), "value": clean(value.value)} for value in item.parameters],
        "default": item.default,
        "desired_prebuild_instances": item.prebuild.instances if item.HasField("prebuild") else None,
        "description": clean(item.description),
        "icon": clean(item.icon),
    }


def _asked(item: pb.RichParameter) -> dict[str, Any]:
    """How people are asked for the parameter."""
    bounds = {name: getattr(item, name) for name in ("validation_min", "validation_max") if item.HasField(name)}
    validation = ("validation_error", "validation_regex", "validation_monotonic")
    texts = ("display_name", "description", "type", "icon", *validation)
    options = [
        {name: clean(getattr(option, name)) for name in ("name", "description", "value", "icon")}
        for option in item.options
    ]
    asked = {name: clean(getattr(item, name)) for name in texts}
    return {**bounds, **asked, "options": options, "form_type": FORMS.get(item.form_type, "")}


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
            "agents": [_agent(agent) for agent in sorted(item.agents, key=lambda agent: (agent.order, agent.name))],
            "metadata": [
                {"key": clean(entry.key), "value": clean(entry.value), "sensitive": entry.sensitive}
                for entry in item.metadata
                if not entry.is_null
            ],
        }
        for item in found
    ]


def _agent(item: pb.Agent) -> dict[str, Any]:
    """But for its token: no agent connects here, and nobody need have one."""
    return {
        "id": str(uuid4()),
        "name": clean(item.name),
        "instance_id": clean(item.instance_id),
        "architecture": clean(item.architecture),
        "operating_system": clean(item.operating_system),
        "directory": clean(item.directory),
        "environment_variables": {clean(name): clean(value) for name, value in item.env.items()},
        "connection_timeout_seconds": item.connection_timeout_seconds,
        "troubleshooting_url": clean(item.troubleshooting_url),
        "display_apps": [name for name in DISPLAY_APPS if getattr(item.display_apps, name)],
    }


def job_id_of(text: str) -> UUID:
    """Raises `RPCError`."""
    try:
        return UUID(text)
    except ValueError:
        raise RPCError(f"{text!r} is not the id of a job") from None
