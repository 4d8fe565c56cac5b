"""Versions of templates, as the API shows them. Names and types are those of Coder's Go SDK."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_pascal

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View
from coder_enterprise.wire.provisioner_jobs import MatchedProvisioners, ProvisionerJob


class MinimalUser(WireModel):
    id: UUID
    username: str
    name: str
    avatar_url: str


class TemplateVersion(WireModel):
    id: UUID
    template_id: UUID | None
    organization_id: UUID
    created_at: datetime
    updated_at: datetime
    name: str
    message: str
    job: ProvisionerJob
    readme: str
    created_by: MinimalUser
    archived: bool = False
    has_external_agent: bool = False
    matched_provisioners: MatchedProvisioners | None = None
    """While its job waits."""
    warnings: list[str] = Field(default_factory=list)
    """Coder has one, of templates with parameters of a kind that is not read here."""


class PatchTemplateVersionRequest(WireModel):
    """An empty or absent name is kept, and so is an absent message."""

    name: str = ""
    message: str | None = None


class ParameterOption(WireModel):
    name: str
    description: str = ""
    value: str
    icon: str = ""


class TemplateVersionParameter(WireModel):
    """What one is asked for when a workspace is made of it."""

    name: str
    display_name: str = ""
    description: str = ""
    description_plaintext: str = ""
    type: str = "string"
    form_type: str = ""
    mutable: bool = False
    default_value: str = ""
    icon: str = ""
    options: list[ParameterOption] = Field(default_factory=list)
    validation_error: str = ""
    validation_regex: str = ""
    validation_min: int | None = None
    validation_max: int | None = None
    validation_monotonic: str = ""
    required: bool = False
    ephemeral: bool = False


class _Preset(WireModel):
    """With the names of the Go SDK's structs, which have no others in JSON."""

    model_config = ConfigDict(alias_generator=to_pascal, validate_by_name=True, serialize_by_alias=True)


class PresetParameter(_Preset):
    name: str
    value: str


class Preset(_Preset):
    """Values that the template suggests for its parameters together."""

    id: UUID = Field(alias="ID")
    name: str
    parameters: list[PresetParameter]
    default: bool
    desired_prebuild_instances: int | None
    """What the template wants; this server keeps no workspaces ready."""
    description: str
    icon: str


class TemplateVersionVariable(WireModel):
    """What whoever makes a version of the template is asked for."""

    name: str
    description: str
    type: str
    """"string", "number" or "bool"."""
    value: str = Field(repr=False)
    default_value: str
    """Both are "" where they are sensitive."""
    required: bool
    sensitive: bool


class VariableValue(WireModel):
    name: str
    value: str = Field(default="", repr=False)


class CreateTemplateVersionRequest(WireModel):
    name: str = ""
    message: str = ""
    template_id: str = ""
    storage_method: str
    file_id: str = ""
    provisioner: str
    tags: dict[str, str] = Field(default_factory=dict)
    user_variable_values: list[VariableValue] = Field(default_factory=list)


class CreateDryRunRequest(WireModel):
    workspace_name: str = ""
    rich_parameter_values: list[VariableValue] = Field(default_factory=list)


class UpdateActiveTemplateVersionRequest(WireModel):
    id: str


TEMPLATE_VERSION: Final[Shape[TemplateVersion]] = Shape(View(TemplateVersion))
PARAMETERS: Final[Shape[list[TemplateVersionParameter]]] = Shape(View(list[TemplateVersionParameter]))
VARIABLES: Final[Shape[list[TemplateVersionVariable]]] = Shape(View(list[TemplateVersionVariable]))
PRESETS: Final[Shape[list[Preset]]] = Shape(View(list[Preset]))
EXTERNAL_AUTH: Final[Shape[list[str]]] = Shape(View(list[str]))
"""Always empty: this server has no accounts elsewhere."""
TEMPLATE_VERSION_CREATED: Final[Shape[TemplateVersion]] = Shape(View(TemplateVersion, 201))
TEMPLATE_VERSIONS: Final[Shape[list[TemplateVersion]]] = Shape(View(list[TemplateVersion]))
