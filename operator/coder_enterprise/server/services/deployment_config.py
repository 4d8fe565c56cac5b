"""What is told of the settings: to those who may know of the deployment, and never a secret.

What Coder has settings for and this server has not is left out, and so is every key, password and URL of a database.
"""

from __future__ import annotations

from datetime import timedelta

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.services import session_tokens
from coder_enterprise.server.services.deployment import Deployment
from coder_enterprise.server.settings import Settings
from coder_enterprise.wire.deployment import (
    DeploymentConfig,
    DeploymentValues,
    QuietHoursValues,
    RateLimitValues,
    RetentionValues,
    SessionValues,
    Switch,
)


class DeploymentConfigs:
    def __init__(self, settings: Settings, deployment: Deployment) -> None:
        self._settings = settings
        self._deployment = deployment

    def get(self, actor: Actor) -> DeploymentConfig:
        """Raises `Forbidden`."""
        access.require(actor, Action.READ, Subject(Kind.DEPLOYMENT))
        settings = self._settings
        return DeploymentConfig(
            config=DeploymentValues(
                access_url=self._deployment.access_url,
                proxy_health_status_interval=_nanoseconds(timedelta(seconds=settings.proxy_health_interval)),
                proxy_trusted_headers=list(settings.trusted_headers),
                proxy_trusted_origins=[str(network) for network in settings.trusted_origins],
                rate_limit=RateLimitValues(api=settings.rate_limit, disable_all=settings.rate_limit < 1),
                retention=RetentionValues(
                    audit_logs=_nanoseconds(settings.retention.audit_logs),
                    api_keys=_nanoseconds(settings.retention.api_keys),
                ),
                session_lifetime=SessionValues(
                    default_duration=_nanoseconds(session_tokens.LIFETIME),
                    default_token_lifetime=_nanoseconds(session_tokens.DEFAULT_LIFETIME),
                    max_token_lifetime=_nanoseconds(session_tokens.MAX_LIFETIME),
                ),
                tls=Switch(enable=settings.tls is not None),
                user_quiet_hours_schedule=QuietHoursValues(
                    default_schedule=settings.quiet_hours_default_schedule,
                    allow_user_custom=settings.allow_custom_quiet_hours,
                ),
            )
        )


def _nanoseconds(lifetime: timedelta) -> int:
    return lifetime // timedelta(microseconds=1) * 1000
