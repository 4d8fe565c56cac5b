"""The closed vocabulary of `status.conditions[].reason`.

Every condition that the operator writes takes its reason from here; `explanations` tells users of each. A word that has
been published keeps its meaning.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    # Ready is true
    APPLIED = "Applied"
    """Coder has what the object declares."""
    PENDING_MEMBERS = "PendingMembers"
    """Applied, but for people who do not exist in Coder yet; they are added when they appear."""
    PENDING_SUBJECTS = "PendingSubjects"
    """Applied, but for users and groups that do not exist in Coder yet; they are added when they appear."""
    PLANNED = "Planned"
    """managementPolicy is Plan: the difference is in status.pendingChanges, nothing is written."""
    OBSERVED = "Observed"
    """managementPolicy is Observe: status shows what Coder has, nothing is written."""
    CONNECTED = "Connected"
    """The deployment answers and accepts the token."""

    # Not yet
    PENDING = "Pending"
    """The operator has not visited the object yet."""
    SUSPENDED = "Suspended"
    """spec.suspend is true, or spec.suspendUntil is to come."""
    DELETING = "Deleting"
    """The object is being deleted, and what it stands for in Coder with it."""
    WAITING_FOR_DEPLOYMENT = "WaitingForDeployment"
    """The CoderDeployment is missing, unreachable, or its token is not accepted."""
    WAITING_FOR_ORGANIZATION = "WaitingForOrganization"
    """The organization does not exist in Coder, or the token cannot see it."""
    WAITING_FOR_TEMPLATE = "WaitingForTemplate"
    """The template does not exist in Coder, or the token cannot see it."""
    WAITING_FOR_GROUP = "WaitingForGroup"
    """A CoderGroup that is referred to has no group in Coder yet; all else is applied."""
    NOT_ENTITLED = "NotEntitled"
    """The feature is not licensed on this deployment."""
    NOT_REGISTERED = "NotRegistered"
    """No workspace proxy has ever registered with the token."""
    NOT_CHECKED = "NotChecked"
    """Coder has not looked at the workspace proxy yet."""
    WORKLOAD_UNAVAILABLE = "WorkloadUnavailable"
    """The Deployment that spec.workload declares is not available."""

    # It may work in a moment
    UNREACHABLE = "Unreachable"
    TLS_FAILED = "TLSFailed"
    UNEXPECTED_ANSWER = "UnexpectedAnswer"
    """HTML, broken JSON, or an answer of another shape: usually a proxy in front of Coder."""
    UNAUTHORIZED = "Unauthorized"
    """Coder does not accept the session token."""
    RATE_LIMITED = "RateLimited"
    SERVER_ERROR = "ServerError"
    REQUEST_FAILED = "RequestFailed"
    INTERNAL_ERROR = "InternalError"
    """A fault of the operator itself; its log has the details."""
    PROXY_UNREACHABLE = "ProxyUnreachable"
    """Coder cannot reach the workspace proxy at the address that it registered."""
    PROXY_UNHEALTHY = "ProxyUnhealthy"
    """The workspace proxy answers Coder, and reports errors."""

    # A person must act
    INVALID_SPEC = "InvalidSpec"
    INVALID_REFERENCE = "InvalidReference"
    """Spec refers to something that cannot be used there."""
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105
    SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105
    SECRET_NOT_MARKED = "SecretNotMarked"  # noqa: S105
    """The Secret has neither our label nor our type, so nothing of it is sent."""
    HOST_NOT_ALLOWED = "HostNotAllowed"
    """The operator was started with --allowed-host, and spec.url has another host; or it is a link-local address."""
    NOT_ALLOWED = "NotAllowed"
    """The CoderDeployment is in another namespace, and does not allow this one what the object asks for."""
    CONFLICT = "Conflict"
    """An older object claims the same thing in Coder."""
    ALREADY_EXISTS = "AlreadyExists"
    """It exists in Coder and was not made by this object; adoptionPolicy is Fail."""
    NOT_IDENTICAL = "NotIdentical"
    """It exists in Coder and differs; adoptionPolicy is AdoptIfIdentical."""
    NOT_FOUND = "NotFound"
    REFUSED = "Refused"
    """Coder refused the request; the message is Coder's own."""
    FORBIDDEN = "Forbidden"
    CANNOT_CHANGE = "CannotChange"
    """It differs in what Coder can never change, such as an e-mail; all else is applied."""
    SCIM_NOT_CONFIGURED = "SCIMNotConfigured"
    """spec.via is SCIM, and the CoderDeployment has no key for it."""
    SCIM_REFUSED = "SCIMRefused"
    """SCIM did not accept the key or the request, or is not there; the message is the server's."""
    INVALID_LICENSE = "InvalidLicense"
    """The Secret holds no licence, or Coder does not count it."""
    EXPIRED = "Expired"
    """The licence has expired, and its grace period is over."""
    TOKEN_NOT_SHOWN = "TokenNotShown"  # noqa: S105
    """Coder made a token and did not show it: a server with only the documented API."""

    # Synced
    IN_SYNC = "InSync"
    DRIFTED = "Drifted"
    UNKNOWN = "Unknown"
    """Not determined yet."""

    # Domain condition of a CoderTemplateACL
    GROUPS_SHOWN = "GroupsShown"
    GROUPS_NOT_SHOWN = "GroupsNotShown"
    """The server tells the roles of users alone: those of groups are as they were applied last."""

    # Domain conditions
    ANSWERING = "Answering"
    TOKEN_ACCEPTED = "TokenAccepted"  # noqa: S105
    LICENSED = "Licensed"
    GRACE_PERIOD = "GracePeriod"
    UNLICENSED = "Unlicensed"
    REPLICAS_HEALTHY = "ReplicasHealthy"
    REPLICA_ERRORS = "ReplicaErrors"
    PROVISIONERS_SEEN = "ProvisionersSeen"
    NO_PROVISIONERS = "NoProvisioners"
    REGISTERED = "Registered"
    PROXY_HEALTHY = "ProxyHealthy"
    WORKLOAD_AVAILABLE = "WorkloadAvailable"
    NOT_SERVED = "NotServed"
    """This server has no such endpoint, or does not show it to this token."""

    # Domain condition of a CoderLicense, beside GracePeriod and Expired
    VALID = "Valid"
    EXPIRES_SOON = "ExpiresSoon"
    """In less than 30 days, or 7 for a trial: as Coder warns."""
    NOT_YET_VALID = "NotYetValid"
    """Its term has not begun."""
