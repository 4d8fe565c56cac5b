from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataUploadType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPLOAD_TYPE_UNKNOWN: _ClassVar[DataUploadType]
    UPLOAD_TYPE_MODULE_FILES: _ClassVar[DataUploadType]

class LogSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVISIONER_DAEMON: _ClassVar[LogSource]
    PROVISIONER: _ClassVar[LogSource]

class LogLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRACE: _ClassVar[LogLevel]
    DEBUG: _ClassVar[LogLevel]
    INFO: _ClassVar[LogLevel]
    WARN: _ClassVar[LogLevel]
    ERROR: _ClassVar[LogLevel]

class WorkspaceTransition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    START: _ClassVar[WorkspaceTransition]
    STOP: _ClassVar[WorkspaceTransition]
    DESTROY: _ClassVar[WorkspaceTransition]

class ParameterFormType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFAULT: _ClassVar[ParameterFormType]
    FORM_ERROR: _ClassVar[ParameterFormType]
    RADIO: _ClassVar[ParameterFormType]
    DROPDOWN: _ClassVar[ParameterFormType]
    INPUT: _ClassVar[ParameterFormType]
    TEXTAREA: _ClassVar[ParameterFormType]
    SLIDER: _ClassVar[ParameterFormType]
    CHECKBOX: _ClassVar[ParameterFormType]
    SWITCH: _ClassVar[ParameterFormType]
    TAGSELECT: _ClassVar[ParameterFormType]
    MULTISELECT: _ClassVar[ParameterFormType]
UPLOAD_TYPE_UNKNOWN: DataUploadType
UPLOAD_TYPE_MODULE_FILES: DataUploadType
PROVISIONER_DAEMON: LogSource
PROVISIONER: LogSource
TRACE: LogLevel
DEBUG: LogLevel
INFO: LogLevel
WARN: LogLevel
ERROR: LogLevel
START: WorkspaceTransition
STOP: WorkspaceTransition
DESTROY: WorkspaceTransition
DEFAULT: ParameterFormType
FORM_ERROR: ParameterFormType
RADIO: ParameterFormType
DROPDOWN: ParameterFormType
INPUT: ParameterFormType
TEXTAREA: ParameterFormType
SLIDER: ParameterFormType
CHECKBOX: ParameterFormType
SWITCH: ParameterFormType
TAGSELECT: ParameterFormType
MULTISELECT: ParameterFormType

class InvokeMetadata(_message.Message):
    __slots__ = ("pairs",)
    class PairsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.ScalarMap[str, str]
    def __init__(self, pairs: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelAcquire(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AcquiredJob(_message.Message):
    __slots__ = ("job_id", "created_at", "provisioner", "user_name", "template_source_archive", "workspace_build", "template_import", "template_dry_run", "trace_metadata")
    class WorkspaceBuild(_message.Message):
        __slots__ = ("workspace_build_id", "workspace_name", "rich_parameter_values", "variable_values", "external_auth_providers", "metadata", "state", "log_level", "previous_parameter_values")
        WORKSPACE_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
        WORKSPACE_NAME_FIELD_NUMBER: _ClassVar[int]
        RICH_PARAMETER_VALUES_FIELD_NUMBER: _ClassVar[int]
        VARIABLE_VALUES_FIELD_NUMBER: _ClassVar[int]
        EXTERNAL_AUTH_PROVIDERS_FIELD_NUMBER: _ClassVar[int]
        METADATA_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
        PREVIOUS_PARAMETER_VALUES_FIELD_NUMBER: _ClassVar[int]
        workspace_build_id: str
        workspace_name: str
        rich_parameter_values: _containers.RepeatedCompositeFieldContainer[RichParameterValue]
        variable_values: _containers.RepeatedCompositeFieldContainer[VariableValue]
        external_auth_providers: _containers.RepeatedCompositeFieldContainer[ExternalAuthProvider]
        metadata: Metadata
        state: bytes
        log_level: str
        previous_parameter_values: _containers.RepeatedCompositeFieldContainer[RichParameterValue]
        def __init__(self, workspace_build_id: _Optional[str] = ..., workspace_name: _Optional[str] = ..., rich_parameter_values: _Optional[_Iterable[_Union[RichParameterValue, _Mapping]]] = ..., variable_values: _Optional[_Iterable[_Union[VariableValue, _Mapping]]] = ..., external_auth_providers: _Optional[_Iterable[_Union[ExternalAuthProvider, _Mapping]]] = ..., metadata: _Optional[_Union[Metadata, _Mapping]] = ..., state: _Optional[bytes] = ..., log_level: _Optional[str] = ..., previous_parameter_values: _Optional[_Iterable[_Union[RichParameterValue, _Mapping]]] = ...) -> None: ...
    class TemplateImport(_message.Message):
        __slots__ = ("metadata", "user_variable_values")
        METADATA_FIELD_NUMBER: _ClassVar[int]
        USER_VARIABLE_VALUES_FIELD_NUMBER: _ClassVar[int]
        metadata: Metadata
        user_variable_values: _containers.RepeatedCompositeFieldContainer[VariableValue]
        def __init__(self, metadata: _Optional[_Union[Metadata, _Mapping]] = ..., user_variable_values: _Optional[_Iterable[_Union[VariableValue, _Mapping]]] = ...) -> None: ...
    class TemplateDryRun(_message.Message):
        __slots__ = ("rich_parameter_values", "variable_values", "metadata")
        RICH_PARAMETER_VALUES_FIELD_NUMBER: _ClassVar[int]
        VARIABLE_VALUES_FIELD_NUMBER: _ClassVar[int]
        METADATA_FIELD_NUMBER: _ClassVar[int]
        rich_parameter_values: _containers.RepeatedCompositeFieldContainer[RichParameterValue]
        variable_values: _containers.RepeatedCompositeFieldContainer[VariableValue]
        metadata: Metadata
        def __init__(self, rich_parameter_values: _Optional[_Iterable[_Union[RichParameterValue, _Mapping]]] = ..., variable_values: _Optional[_Iterable[_Union[VariableValue, _Mapping]]] = ..., metadata: _Optional[_Union[Metadata, _Mapping]] = ...) -> None: ...
    class TraceMetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PROVISIONER_FIELD_NUMBER: _ClassVar[int]
    USER_NAME_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_SOURCE_ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_BUILD_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_IMPORT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    TRACE_METADATA_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    created_at: int
    provisioner: str
    user_name: str
    template_source_archive: bytes
    workspace_build: AcquiredJob.WorkspaceBuild
    template_import: AcquiredJob.TemplateImport
    template_dry_run: AcquiredJob.TemplateDryRun
    trace_metadata: _containers.ScalarMap[str, str]
    def __init__(self, job_id: _Optional[str] = ..., created_at: _Optional[int] = ..., provisioner: _Optional[str] = ..., user_name: _Optional[str] = ..., template_source_archive: _Optional[bytes] = ..., workspace_build: _Optional[_Union[AcquiredJob.WorkspaceBuild, _Mapping]] = ..., template_import: _Optional[_Union[AcquiredJob.TemplateImport, _Mapping]] = ..., template_dry_run: _Optional[_Union[AcquiredJob.TemplateDryRun, _Mapping]] = ..., trace_metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UpdateJobRequest(_message.Message):
    __slots__ = ("job_id", "logs", "template_variables", "user_variable_values", "readme", "workspace_tags")
    class WorkspaceTagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VARIABLES_FIELD_NUMBER: _ClassVar[int]
    USER_VARIABLE_VALUES_FIELD_NUMBER: _ClassVar[int]
    README_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_TAGS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    logs: _containers.RepeatedCompositeFieldContainer[Log]
    template_variables: _containers.RepeatedCompositeFieldContainer[TemplateVariable]
    user_variable_values: _containers.RepeatedCompositeFieldContainer[VariableValue]
    readme: bytes
    workspace_tags: _containers.ScalarMap[str, str]
    def __init__(self, job_id: _Optional[str] = ..., logs: _Optional[_Iterable[_Union[Log, _Mapping]]] = ..., template_variables: _Optional[_Iterable[_Union[TemplateVariable, _Mapping]]] = ..., user_variable_values: _Optional[_Iterable[_Union[VariableValue, _Mapping]]] = ..., readme: _Optional[bytes] = ..., workspace_tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UpdateJobResponse(_message.Message):
    __slots__ = ("canceled", "variable_values")
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    VARIABLE_VALUES_FIELD_NUMBER: _ClassVar[int]
    canceled: bool
    variable_values: _containers.RepeatedCompositeFieldContainer[VariableValue]
    def __init__(self, canceled: _Optional[bool] = ..., variable_values: _Optional[_Iterable[_Union[VariableValue, _Mapping]]] = ...) -> None: ...

class CommitQuotaRequest(_message.Message):
    __slots__ = ("job_id", "daily_cost")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    DAILY_COST_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    daily_cost: int
    def __init__(self, job_id: _Optional[str] = ..., daily_cost: _Optional[int] = ...) -> None: ...

class CommitQuotaResponse(_message.Message):
    __slots__ = ("ok", "credits_consumed", "budget")
    OK_FIELD_NUMBER: _ClassVar[int]
    CREDITS_CONSUMED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    credits_consumed: int
    budget: int
    def __init__(self, ok: _Optional[bool] = ..., credits_consumed: _Optional[int] = ..., budget: _Optional[int] = ...) -> None: ...

class FailedJob(_message.Message):
    __slots__ = ("job_id", "error", "workspace_build", "template_import", "template_dry_run", "error_code")
    class WorkspaceBuild(_message.Message):
        __slots__ = ("state",)
        STATE_FIELD_NUMBER: _ClassVar[int]
        state: bytes
        def __init__(self, state: _Optional[bytes] = ...) -> None: ...
    class TemplateImport(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class TemplateDryRun(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_BUILD_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_IMPORT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    error: str
    workspace_build: FailedJob.WorkspaceBuild
    template_import: FailedJob.TemplateImport
    template_dry_run: FailedJob.TemplateDryRun
    error_code: str
    def __init__(self, job_id: _Optional[str] = ..., error: _Optional[str] = ..., workspace_build: _Optional[_Union[FailedJob.WorkspaceBuild, _Mapping]] = ..., template_import: _Optional[_Union[FailedJob.TemplateImport, _Mapping]] = ..., template_dry_run: _Optional[_Union[FailedJob.TemplateDryRun, _Mapping]] = ..., error_code: _Optional[str] = ...) -> None: ...

class CompletedJob(_message.Message):
    __slots__ = ("job_id", "workspace_build", "template_import", "template_dry_run")
    class WorkspaceBuild(_message.Message):
        __slots__ = ("state", "resources")
        STATE_FIELD_NUMBER: _ClassVar[int]
        RESOURCES_FIELD_NUMBER: _ClassVar[int]
        state: bytes
        resources: _containers.RepeatedCompositeFieldContainer[Resource]
        def __init__(self, state: _Optional[bytes] = ..., resources: _Optional[_Iterable[_Union[Resource, _Mapping]]] = ...) -> None: ...
    class TemplateImport(_message.Message):
        __slots__ = ("start_resources", "stop_resources", "rich_parameters", "external_auth_providers_names", "presets", "module_files", "module_files_hash", "has_external_agents")
        START_RESOURCES_FIELD_NUMBER: _ClassVar[int]
        STOP_RESOURCES_FIELD_NUMBER: _ClassVar[int]
        RICH_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
        EXTERNAL_AUTH_PROVIDERS_NAMES_FIELD_NUMBER: _ClassVar[int]
        PRESETS_FIELD_NUMBER: _ClassVar[int]
        MODULE_FILES_FIELD_NUMBER: _ClassVar[int]
        MODULE_FILES_HASH_FIELD_NUMBER: _ClassVar[int]
        HAS_EXTERNAL_AGENTS_FIELD_NUMBER: _ClassVar[int]
        start_resources: _containers.RepeatedCompositeFieldContainer[Resource]
        stop_resources: _containers.RepeatedCompositeFieldContainer[Resource]
        rich_parameters: _containers.RepeatedCompositeFieldContainer[RichParameter]
        external_auth_providers_names: _containers.RepeatedScalarFieldContainer[str]
        presets: _containers.RepeatedCompositeFieldContainer[Preset]
        module_files: bytes
        module_files_hash: bytes
        has_external_agents: bool
        def __init__(self, start_resources: _Optional[_Iterable[_Union[Resource, _Mapping]]] = ..., stop_resources: _Optional[_Iterable[_Union[Resource, _Mapping]]] = ..., rich_parameters: _Optional[_Iterable[_Union[RichParameter, _Mapping]]] = ..., external_auth_providers_names: _Optional[_Iterable[str]] = ..., presets: _Optional[_Iterable[_Union[Preset, _Mapping]]] = ..., module_files: _Optional[bytes] = ..., module_files_hash: _Optional[bytes] = ..., has_external_agents: _Optional[bool] = ...) -> None: ...
    class TemplateDryRun(_message.Message):
        __slots__ = ("resources",)
        RESOURCES_FIELD_NUMBER: _ClassVar[int]
        resources: _containers.RepeatedCompositeFieldContainer[Resource]
        def __init__(self, resources: _Optional[_Iterable[_Union[Resource, _Mapping]]] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_BUILD_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_IMPORT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    workspace_build: CompletedJob.WorkspaceBuild
    template_import: CompletedJob.TemplateImport
    template_dry_run: CompletedJob.TemplateDryRun
    def __init__(self, job_id: _Optional[str] = ..., workspace_build: _Optional[_Union[CompletedJob.WorkspaceBuild, _Mapping]] = ..., template_import: _Optional[_Union[CompletedJob.TemplateImport, _Mapping]] = ..., template_dry_run: _Optional[_Union[CompletedJob.TemplateDryRun, _Mapping]] = ...) -> None: ...

class FileRequest(_message.Message):
    __slots__ = ("file_id", "upload_type")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_TYPE_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    upload_type: DataUploadType
    def __init__(self, file_id: _Optional[str] = ..., upload_type: _Optional[_Union[DataUploadType, str]] = ...) -> None: ...

class FileUpload(_message.Message):
    __slots__ = ("data_upload", "chunk_piece", "error")
    DATA_UPLOAD_FIELD_NUMBER: _ClassVar[int]
    CHUNK_PIECE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    data_upload: DataUpload
    chunk_piece: ChunkPiece
    error: FailedFile
    def __init__(self, data_upload: _Optional[_Union[DataUpload, _Mapping]] = ..., chunk_piece: _Optional[_Union[ChunkPiece, _Mapping]] = ..., error: _Optional[_Union[FailedFile, _Mapping]] = ...) -> None: ...

class DataUpload(_message.Message):
    __slots__ = ("upload_type", "data_hash", "file_size", "chunks")
    UPLOAD_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_HASH_FIELD_NUMBER: _ClassVar[int]
    FILE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    upload_type: DataUploadType
    data_hash: bytes
    file_size: int
    chunks: int
    def __init__(self, upload_type: _Optional[_Union[DataUploadType, str]] = ..., data_hash: _Optional[bytes] = ..., file_size: _Optional[int] = ..., chunks: _Optional[int] = ...) -> None: ...

class ChunkPiece(_message.Message):
    __slots__ = ("data", "full_data_hash", "piece_index")
    DATA_FIELD_NUMBER: _ClassVar[int]
    FULL_DATA_HASH_FIELD_NUMBER: _ClassVar[int]
    PIECE_INDEX_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    full_data_hash: bytes
    piece_index: int
    def __init__(self, data: _Optional[bytes] = ..., full_data_hash: _Optional[bytes] = ..., piece_index: _Optional[int] = ...) -> None: ...

class FailedFile(_message.Message):
    __slots__ = ("error",)
    ERROR_FIELD_NUMBER: _ClassVar[int]
    error: str
    def __init__(self, error: _Optional[str] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("source", "level", "created_at", "stage", "output")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    source: LogSource
    level: LogLevel
    created_at: int
    stage: str
    output: str
    def __init__(self, source: _Optional[_Union[LogSource, str]] = ..., level: _Optional[_Union[LogLevel, str]] = ..., created_at: _Optional[int] = ..., stage: _Optional[str] = ..., output: _Optional[str] = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("coder_url", "workspace_transition", "workspace_name", "workspace_owner", "workspace_id", "workspace_owner_id", "workspace_owner_email", "template_name", "template_version", "workspace_owner_oidc_access_token", "workspace_owner_session_token", "template_id", "workspace_owner_name", "workspace_owner_groups", "workspace_owner_ssh_public_key", "workspace_owner_ssh_private_key", "workspace_build_id", "workspace_owner_login_type", "workspace_owner_rbac_roles", "template_version_id", "template_version_modules_file")
    CODER_URL_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_TRANSITION_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_NAME_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_NAME_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_OIDC_ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_NAME_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_GROUPS_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_SSH_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_SSH_PRIVATE_KEY_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_LOGIN_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_OWNER_RBAC_ROLES_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VERSION_MODULES_FILE_FIELD_NUMBER: _ClassVar[int]
    coder_url: str
    workspace_transition: WorkspaceTransition
    workspace_name: str
    workspace_owner: str
    workspace_id: str
    workspace_owner_id: str
    workspace_owner_email: str
    template_name: str
    template_version: str
    workspace_owner_oidc_access_token: str
    workspace_owner_session_token: str
    template_id: str
    workspace_owner_name: str
    workspace_owner_groups: _containers.RepeatedScalarFieldContainer[str]
    workspace_owner_ssh_public_key: str
    workspace_owner_ssh_private_key: str
    workspace_build_id: str
    workspace_owner_login_type: str
    workspace_owner_rbac_roles: _containers.RepeatedCompositeFieldContainer[Role]
    template_version_id: str
    template_version_modules_file: str
    def __init__(self, coder_url: _Optional[str] = ..., workspace_transition: _Optional[_Union[WorkspaceTransition, str]] = ..., workspace_name: _Optional[str] = ..., workspace_owner: _Optional[str] = ..., workspace_id: _Optional[str] = ..., workspace_owner_id: _Optional[str] = ..., workspace_owner_email: _Optional[str] = ..., template_name: _Optional[str] = ..., template_version: _Optional[str] = ..., workspace_owner_oidc_access_token: _Optional[str] = ..., workspace_owner_session_token: _Optional[str] = ..., template_id: _Optional[str] = ..., workspace_owner_name: _Optional[str] = ..., workspace_owner_groups: _Optional[_Iterable[str]] = ..., workspace_owner_ssh_public_key: _Optional[str] = ..., workspace_owner_ssh_private_key: _Optional[str] = ..., workspace_build_id: _Optional[str] = ..., workspace_owner_login_type: _Optional[str] = ..., workspace_owner_rbac_roles: _Optional[_Iterable[_Union[Role, _Mapping]]] = ..., template_version_id: _Optional[str] = ..., template_version_modules_file: _Optional[str] = ...) -> None: ...

class Role(_message.Message):
    __slots__ = ("name", "org_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    org_id: str
    def __init__(self, name: _Optional[str] = ..., org_id: _Optional[str] = ...) -> None: ...

class TemplateVariable(_message.Message):
    __slots__ = ("name", "description", "type", "default_value", "required", "sensitive")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    type: str
    default_value: str
    required: bool
    sensitive: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., type: _Optional[str] = ..., default_value: _Optional[str] = ..., required: _Optional[bool] = ..., sensitive: _Optional[bool] = ...) -> None: ...

class VariableValue(_message.Message):
    __slots__ = ("name", "value", "sensitive")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    sensitive: bool
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., sensitive: _Optional[bool] = ...) -> None: ...

class RichParameter(_message.Message):
    __slots__ = ("name", "description", "type", "mutable", "default_value", "icon", "options", "validation_regex", "validation_error", "validation_min", "validation_max", "validation_monotonic", "required", "display_name", "order", "ephemeral", "form_type")
    class Option(_message.Message):
        __slots__ = ("name", "description", "value", "icon")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        ICON_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        value: str
        icon: str
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., value: _Optional[str] = ..., icon: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MUTABLE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    ICON_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_REGEX_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_ERROR_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_MIN_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_MAX_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_MONOTONIC_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    FORM_TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    type: str
    mutable: bool
    default_value: str
    icon: str
    options: _containers.RepeatedCompositeFieldContainer[RichParameter.Option]
    validation_regex: str
    validation_error: str
    validation_min: int
    validation_max: int
    validation_monotonic: str
    required: bool
    display_name: str
    order: int
    ephemeral: bool
    form_type: ParameterFormType
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., type: _Optional[str] = ..., mutable: _Optional[bool] = ..., default_value: _Optional[str] = ..., icon: _Optional[str] = ..., options: _Optional[_Iterable[_Union[RichParameter.Option, _Mapping]]] = ..., validation_regex: _Optional[str] = ..., validation_error: _Optional[str] = ..., validation_min: _Optional[int] = ..., validation_max: _Optional[int] = ..., validation_monotonic: _Optional[str] = ..., required: _Optional[bool] = ..., display_name: _Optional[str] = ..., order: _Optional[int] = ..., ephemeral: _Optional[bool] = ..., form_type: _Optional[_Union[ParameterFormType, str]] = ...) -> None: ...

class Preset(_message.Message):
    __slots__ = ("name", "parameters", "prebuild", "default", "description", "icon")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PREBUILD_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ICON_FIELD_NUMBER: _ClassVar[int]
    name: str
    parameters: _containers.RepeatedCompositeFieldContainer[RichParameterValue]
    prebuild: Prebuild
    default: bool
    description: str
    icon: str
    def __init__(self, name: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[RichParameterValue, _Mapping]]] = ..., prebuild: _Optional[_Union[Prebuild, _Mapping]] = ..., default: _Optional[bool] = ..., description: _Optional[str] = ..., icon: _Optional[str] = ...) -> None: ...

class Prebuild(_message.Message):
    __slots__ = ("instances",)
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    instances: int
    def __init__(self, instances: _Optional[int] = ...) -> None: ...

class RichParameterValue(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class ExternalAuthProvider(_message.Message):
    __slots__ = ("id", "access_token")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    access_token: str
    def __init__(self, id: _Optional[str] = ..., access_token: _Optional[str] = ...) -> None: ...

class Resource(_message.Message):
    __slots__ = ("name", "type", "agents", "metadata", "hide", "icon", "instance_type", "daily_cost")
    class Metadata(_message.Message):
        __slots__ = ("key", "value", "sensitive", "is_null")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        SENSITIVE_FIELD_NUMBER: _ClassVar[int]
        IS_NULL_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        sensitive: bool
        is_null: bool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., sensitive: _Optional[bool] = ..., is_null: _Optional[bool] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    HIDE_FIELD_NUMBER: _ClassVar[int]
    ICON_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    DAILY_COST_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    agents: _containers.RepeatedCompositeFieldContainer[Agent]
    metadata: _containers.RepeatedCompositeFieldContainer[Resource.Metadata]
    hide: bool
    icon: str
    instance_type: str
    daily_cost: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., agents: _Optional[_Iterable[_Union[Agent, _Mapping]]] = ..., metadata: _Optional[_Iterable[_Union[Resource.Metadata, _Mapping]]] = ..., hide: _Optional[bool] = ..., icon: _Optional[str] = ..., instance_type: _Optional[str] = ..., daily_cost: _Optional[int] = ...) -> None: ...

class Agent(_message.Message):
    __slots__ = ("id", "name", "env", "operating_system", "architecture", "directory", "token", "instance_id", "connection_timeout_seconds", "troubleshooting_url", "motd_file", "display_apps", "order")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    OPERATING_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TROUBLESHOOTING_URL_FIELD_NUMBER: _ClassVar[int]
    MOTD_FILE_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_APPS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    env: _containers.ScalarMap[str, str]
    operating_system: str
    architecture: str
    directory: str
    token: str
    instance_id: str
    connection_timeout_seconds: int
    troubleshooting_url: str
    motd_file: str
    display_apps: DisplayApps
    order: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., env: _Optional[_Mapping[str, str]] = ..., operating_system: _Optional[str] = ..., architecture: _Optional[str] = ..., directory: _Optional[str] = ..., token: _Optional[str] = ..., instance_id: _Optional[str] = ..., connection_timeout_seconds: _Optional[int] = ..., troubleshooting_url: _Optional[str] = ..., motd_file: _Optional[str] = ..., display_apps: _Optional[_Union[DisplayApps, _Mapping]] = ..., order: _Optional[int] = ...) -> None: ...

class DisplayApps(_message.Message):
    __slots__ = ("vscode", "vscode_insiders", "web_terminal", "ssh_helper", "port_forwarding_helper")
    VSCODE_FIELD_NUMBER: _ClassVar[int]
    VSCODE_INSIDERS_FIELD_NUMBER: _ClassVar[int]
    WEB_TERMINAL_FIELD_NUMBER: _ClassVar[int]
    SSH_HELPER_FIELD_NUMBER: _ClassVar[int]
    PORT_FORWARDING_HELPER_FIELD_NUMBER: _ClassVar[int]
    vscode: bool
    vscode_insiders: bool
    web_terminal: bool
    ssh_helper: bool
    port_forwarding_helper: bool
    def __init__(self, vscode: _Optional[bool] = ..., vscode_insiders: _Optional[bool] = ..., web_terminal: _Optional[bool] = ..., ssh_helper: _Optional[bool] = ..., port_forwarding_helper: _Optional[bool] = ...) -> None: ...
