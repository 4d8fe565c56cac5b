"""All services of one server. A new one is written here, and nowhere else: routes and workers find it by its name.

Made by `run`, once the database is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coder_enterprise.server.services.appearance import Appearance
from coder_enterprise.server.services.audit_logs import AuditLogs
from coder_enterprise.server.services.authorization import Authorization
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.services.deployment_config import DeploymentConfigs
from coder_enterprise.server.services.dry_runs import DryRuns
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.files import Files
from coder_enterprise.server.services.first_users import FirstUsers
from coder_enterprise.server.services.git_ssh_keys import GitSSHKeys, sealing
from coder_enterprise.server.services.groups import Groups
from coder_enterprise.server.services.licenses import Licenses
from coder_enterprise.server.services.members import Members
from coder_enterprise.server.services.metrics import ServiceMetrics
from coder_enterprise.server.services.observations import Observations
from coder_enterprise.server.services.organizations import Organizations
from coder_enterprise.server.services.provisioning.admission import Admission
from coder_enterprise.server.services.provisioning.daemon_sessions import DaemonSessions
from coder_enterprise.server.services.provisioning.job_course import JobCourse
from coder_enterprise.server.services.provisioning.job_logs import JobLogs
from coder_enterprise.server.services.provisioning.job_queue import JobQueue
from coder_enterprise.server.services.provisioning.job_views import JobViews
from coder_enterprise.server.services.provisioning.orders import Orders
from coder_enterprise.server.services.provisioning.provisioner_daemons import ProvisionerDaemons
from coder_enterprise.server.services.provisioning.provisioner_keys import ProvisionerKeys
from coder_enterprise.server.services.proxies import Proxies
from coder_enterprise.server.services.proxy_health import ProxyHealth
from coder_enterprise.server.services.quiet_hours import QuietHours, default_schedule
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
from coder_enterprise.server.services.user_passwords import UserPasswords
from coder_enterprise.server.services.users import Users
from coder_enterprise.server.services.variables import Variables
from coder_enterprise.server.services.workspace_builds import WorkspaceBuilds
from coder_enterprise.server.services.workspace_quota import WorkspaceQuotas
from coder_enterprise.server.services.workspace_schedules import WorkspaceSchedules
from coder_enterprise.server.services.workspaces import Workspaces
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.measured import MeasuredDatabase


@dataclass(frozen=True)
class Context:
    """What services are made of, besides each other."""

    settings: Settings
    database: Database
    deployment: Deployment
    own_keys: Mapping[str, bytes] = field(default_factory=dict)
    """Those that the server itself signs licences with."""


class Services:
    def __init__(self, context: Context) -> None:
        """Every feature is off until `entitlements` are refreshed. Raises `SettingsError`."""
        settings, deployment = context.settings, context.deployment
        database = MeasuredDatabase(context.database)
        configured = frozenset({Feature.SCIM} if settings.scim_auth_header else ())
        self.entitlements = Entitlements(
            database, {**settings.license_keys(), **context.own_keys}, deployment.id, configured
        )
        self.sessions = Sessions(database)
        self.job_logs = JobLogs(database)
        variables = Variables(settings.encryption_keys)
        self.git_ssh_keys = GitSSHKeys(database, sealing(settings.encryption_keys))
        orders = Orders(deployment.access_url, variables, self.git_ssh_keys, settings.workspace_session_tokens)
        self.job_queue = JobQueue(database, self.sessions, orders)
        self.job_course = JobCourse(database, self.entitlements, self.job_logs, variables)
        schedule = default_schedule(settings.quiet_hours_default_schedule)
        proxy_health = ProxyHealth(database.notifications)
        self.profile = settings.profile
        self.deployment = deployment
        self.deployment_configs = DeploymentConfigs(settings, deployment)
        self.observations = Observations(database)
        self.authorization = Authorization(database)
        self.users = Users(database, self.sessions)
        self.first_users = FirstUsers(database)
        self.user_passwords = UserPasswords(database, self.sessions)
        self.organizations = Organizations(database)
        self.groups = Groups(database, self.entitlements)
        self.scim = Scim(database, self.sessions, self.entitlements, deployment.access_url, settings.scim_auth_header)
        self.licenses = Licenses(database, self.entitlements)
        self.appearance = Appearance(database, self.entitlements, settings.support_links)
        self.members = Members(database)
        self.templates = Templates(database, self.entitlements)
        self.template_acls = TemplateACLs(database, self.entitlements)
        self.quiet_hours = QuietHours(database, self.entitlements, schedule, custom=settings.allow_custom_quiet_hours)
        self.tokens = Tokens(database, self.sessions)
        self.audit_logs = AuditLogs(database)
        self.proxies = Proxies(database, self.entitlements, deployment, proxy_health)
        self.registrations = Registrations(database, self.entitlements, proxy_health, deployment.version)
        self.readiness = Readiness(database)
        self.replicas = Replicas(database, settings.relay_url)
        self.provisioner_daemons = ProvisionerDaemons(database, self.entitlements)
        self.daemon_admission = Admission(database, self.sessions, self.entitlements, settings.provisioner_daemon_psk)
        self.daemon_sessions = DaemonSessions(database, self.job_queue, self.job_course)
        self.provisioner_keys = ProvisionerKeys(database, self.entitlements)
        self.job_views = JobViews(database)
        self.files = Files(database)
        self.retention = Retention(database, settings.retention)
        self.template_versions = TemplateVersions(database, self.job_queue, self.job_logs, variables)
        self.dry_runs = DryRuns(database, self.job_queue, self.job_logs)
        self.workspaces = Workspaces(database, self.job_queue)
        self.workspace_builds = WorkspaceBuilds(database, self.job_queue, self.job_logs)
        self.workspace_schedules = WorkspaceSchedules(database)
        self.workspace_quotas = WorkspaceQuotas(database, self.entitlements)
        self.metrics = ServiceMetrics(database, self.entitlements, proxy_health)
