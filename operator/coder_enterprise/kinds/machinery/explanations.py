"""What each reason means and what to do about it: told by docs/reference/reasons.md, which is made of this, and by the
commands that show a cluster.

Light to import, since commands do so at their start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coder_enterprise.kinds.machinery.reasons import Reason


@dataclass(frozen=True)
class Explanation:
    """In Markdown; each is whole sentences, but for `where`."""

    where: str
    """Kinds, and their conditions with the status that has this reason."""
    meaning: str
    advice: str
    """What to do; "Nothing." where nothing is."""


@dataclass(frozen=True)
class Section:
    title: str
    reasons: dict[Reason, Explanation]
    before: str = ""
    after: str = ""


SECTIONS: Final = (
    Section(
        "All is well",
        {
            Reason.APPLIED: Explanation("objects: Ready `True`", "Coder has what the object declares.", "Nothing."),
            Reason.PENDING_MEMBERS: Explanation(
                "CoderGroup: Ready `True`",
                "Applied, but for people who do not exist in Coder, or are not in the organization, yet. "
                "`status.pendingMembers` lists them; they are added when they appear.",
                "Nothing, or correct a name in `spec.members.users`.",
            ),
            Reason.PENDING_SUBJECTS: Explanation(
                "CoderTemplateACL: Ready `True`",
                "Applied, but for users and groups that do not exist in Coder yet. `status.pending` lists them; "
                "they are added when they appear.",
                "Nothing, or correct a name in `spec.users` or `spec.groups`.",
            ),
            Reason.PLANNED: Explanation(
                "objects: Ready `True`",
                "`spec.managementPolicy` is `Plan`: nothing is written, the difference is in `status.pendingChanges`.",
                "To apply it, set `spec.managementPolicy` to `Enforce`.",
            ),
            Reason.OBSERVED: Explanation(
                "objects: Ready `True`",
                "`spec.managementPolicy` is `Observe`: nothing is written, status shows what Coder has.",
                "Nothing.",
            ),
            Reason.CONNECTED: Explanation(
                "CoderDeployment: Ready `True`", "The deployment answers and accepts the token.", "Nothing."
            ),
            Reason.IN_SYNC: Explanation("objects: Synced `True`", "Coder has what spec declares.", "Nothing."),
        },
    ),
    Section(
        "Not yet",
        {
            Reason.PENDING: Explanation(
                "all kinds: Ready `Unknown`",
                "The operator has not visited the object yet.",
                "If it stays, check that the operator runs and watches the namespace.",
            ),
            Reason.SUSPENDED: Explanation(
                "all kinds: Ready and Synced `Unknown`",
                "`spec.suspend` is true, or `spec.suspendUntil` is to come: nothing is read or written, "
                "`status.observedGeneration` stays, and "
                "kstatus says InProgress. An object that is deleted leaves what it stands for in Coder. Objects of "
                "a suspended CoderDeployment wait.",
                "Set `spec.suspend` to false, and remove `spec.suspendUntil`; `coder-enterprise resume` does both. "
                "What is suspended until a time continues by itself then.",
            ),
            Reason.DELETING: Explanation(
                "objects: Ready `False`",
                "The object is being deleted, and Coder cannot be asked to delete what it stands for. The message "
                "says why.",
                'Remove the cause; or annotate the object with `enterprise.coder.com/force-detach: "true"`, which '
                "leaves the thing in Coder.",
            ),
            Reason.WAITING_FOR_DEPLOYMENT: Explanation(
                "objects: Ready `False`",
                "The CoderDeployment of `spec.deploymentRef` is missing, or cannot be used.",
                "Look at the CoderDeployment: its own conditions say what is wrong. The object continues by itself.",
            ),
            Reason.WAITING_FOR_ORGANIZATION: Explanation(
                "objects: Ready `False`",
                "The organization of `spec.organization` does not exist in Coder, or the token cannot see it.",
                "Create it, correct the name, or use the token of an owner.",
            ),
            Reason.NOT_ENTITLED: Explanation(
                "objects: Ready `False`",
                "The feature that this kind needs is not enabled on the deployment; or, for a CoderAppearance, its "
                "licence has expired, and this version of Coder hides what is stored. Of a CoderUser, "
                "`spec.quietHours` needs it, and all else is applied.",
                "Add a licence that has it, or leave out what needs it. The object continues by itself.",
            ),
            Reason.NOT_REGISTERED: Explanation(
                "CoderWorkspaceProxy: Ready, Registered `False`, Healthy `Unknown`",
                "No workspace proxy has ever registered with the token.",
                "Run one with the token from the Secret of `spec.tokenSecret`; read its log.",
            ),
            Reason.NOT_CHECKED: Explanation(
                "CoderWorkspaceProxy: Ready `False`, Healthy `Unknown`",
                "The proxy has registered, and Coder has not looked at it yet.",
                "Nothing: Coder looks about once a minute.",
            ),
            Reason.WORKLOAD_UNAVAILABLE: Explanation(
                "CoderWorkspaceProxy: Ready, WorkloadAvailable `False`",
                "The Deployment of `spec.workload` is not available; the message has its own words.",
                "Look at the Deployment and at its pods.",
            ),
            Reason.WAITING_FOR_TEMPLATE: Explanation(
                "CoderTemplateACL: Ready `False`",
                "The template of `spec.template` does not exist in Coder, or the token cannot see it.",
                "Make the template, correct the name, or use the token of an owner. The object continues by itself.",
            ),
            Reason.WAITING_FOR_GROUP: Explanation(
                "CoderTemplateACL, CoderGroup: Ready `False`",
                "A CoderGroup of `spec.groups` does not exist, or has made no group in Coder yet; of a CoderGroup, "
                "the group has a name that only an identity provider can give, and is not there yet. All else is "
                "applied; `status.pending` lists what is missing.",
                "Create the CoderGroup, or look at its own conditions. The object continues by itself as soon as "
                "the group is there.",
            ),
            Reason.UNKNOWN: Explanation(
                "CoderDeployment: its conditions but Ready `Unknown`",
                "Not determined: something before it failed, or the deployment does not tell any more; then the "
                "message says what was known last, and when.",
                "Look at the other conditions.",
            ),
        },
    ),
    Section(
        "It may work in a moment",
        {
            Reason.UNREACHABLE: Explanation(
                "CoderDeployment: Ready, Reachable `False`; objects: Ready `False`",
                "No HTTP answer: the name does not resolve, the connection is refused or breaks, or nothing comes "
                "in time.",
                "Check `spec.url`, network policies and proxies, and that Coder runs.",
            ),
            Reason.TLS_FAILED: Explanation(
                "CoderDeployment: Ready, Reachable `False`; objects: Ready `False`",
                "The server's certificate is not accepted, or the CA bundle holds no certificate.",
                "Put the issuer's certificate into `spec.caBundle` or the Secret of `spec.caBundleSecretRef`.",
            ),
            Reason.UNEXPECTED_ANSWER: Explanation(
                "CoderDeployment: Ready, Reachable `False`, or one of its conditions `Unknown`; objects: Ready `False`",
                "A redirect, HTML, broken JSON, or JSON of another shape. Mostly a proxy or a login page in front "
                "of Coder answers in its place.",
                "Let `spec.url` be Coder's own access URL, and the proxy let `/api/v2` pass.",
            ),
            Reason.UNAUTHORIZED: Explanation(
                "CoderDeployment: Ready, Authenticated `False`; objects: Ready `False`",
                "Coder does not accept the session token: it has expired or was revoked, its user is suspended, or "
                "the Secret holds something else. Another token is taken at once where the Secret is watched; the "
                "same one is tried ever more seldom, at last every five minutes.",
                "Put a valid session token into the Secret of `spec.tokenSecretRef`.",
            ),
            Reason.RATE_LIMITED: Explanation(
                "CoderDeployment: Reachable `True`, and Ready as it was (`False` where nothing is known of it "
                "yet), or one of its other conditions `Unknown`; objects: Ready `False`",
                "Coder answered 429. The operator sends nothing for as long as Coder asks, five minutes at most, "
                "and objects wait; what was known of the deployment still holds.",
                "If it happens often, set `spec.maxRequestsPerSecond` of the CoderDeployment, or raise Coder's own "
                "limit.",
            ),
            Reason.SERVER_ERROR: Explanation(
                "CoderDeployment: Ready `False`, or one of its conditions `Unknown`; objects: Ready `False`",
                "Coder, or a gateway in front of it, answered 5xx. Coder also answers 500 to some requests that "
                "the token's user may not make.",
                "Read Coder's log; check that the token belongs to an owner.",
            ),
            Reason.REQUEST_FAILED: Explanation(
                "objects: Ready `False`",
                "Coder answered with an error that has no word of its own.",
                "Read the message, which is Coder's.",
            ),
            Reason.PROXY_UNREACHABLE: Explanation(
                "CoderWorkspaceProxy: Ready, Healthy `False`",
                "Coder cannot reach the proxy at the address under which it registered, `status.url`.",
                "Check that the proxy runs, and that Coder itself can reach that address.",
            ),
            Reason.PROXY_UNHEALTHY: Explanation(
                "CoderWorkspaceProxy: Ready, Healthy `False`",
                "The proxy answers Coder, and reports errors; the message and `status.health.errors` have them.",
                "Do what the errors say; mostly the proxy cannot reach Coder.",
            ),
            Reason.INTERNAL_ERROR: Explanation(
                "all kinds: Ready `False`", "A fault of the operator itself.", "Read the operator's log, and report it."
            ),
        },
        before="The operator tries again by itself. While a deployment is out, objects that were ready stay as "
        "they are.",
    ),
    Section(
        "A person must act",
        {
            Reason.INVALID_SPEC: Explanation(
                "all kinds: Ready `False`",
                "The operator does not understand the spec, although the API server accepted it: the CRDs are of "
                "another version.",
                "Install the CRDs and the operator of the same version, or correct the field that the message names.",
            ),
            Reason.SECRET_NOT_FOUND: Explanation(
                "CoderDeployment: Ready, Authenticated `False`; CoderLicense, CoderUser: Ready `False`",
                "There is no such Secret in the namespace of the object, or none is named and a user is to be made "
                "who logs in with a password.",
                "Create it, or correct the reference.",
            ),
            Reason.SECRET_NOT_MARKED: Explanation(
                "CoderDeployment: Ready, Authenticated `False`; CoderLicense, CoderUser: Ready `False`",
                'The Secret has neither the label `enterprise.coder.com/watch: "true"` nor the type '
                "`enterprise.coder.com/token`, or the operator has made it for something else. So nothing of it is "
                "sent: whoever may write our objects may not be meant to read it.",
                "If it is for Coder, label it: the message has the command.",
            ),
            Reason.HOST_NOT_ALLOWED: Explanation(
                "CoderDeployment: Ready, Authenticated `False`",
                "The operator was started with `--allowed-host`, and `spec.url` has another host; or it is a "
                "link-local or metadata address.",
                "Correct `spec.url`, or start the operator with that host.",
            ),
            Reason.SECRET_KEY_MISSING: Explanation(
                "CoderDeployment: Ready, Authenticated `False`; CoderLicense, CoderUser: Ready `False`",
                "The Secret has no value under that key.",
                "Add the key, or correct the reference.",
            ),
            Reason.INVALID_LICENSE: Explanation(
                "CoderLicense: Ready `False`",
                "What the Secret holds is no licence; or Coder has the new licence and does not count it, so that "
                "the old one stays.",
                "Put the licence into the Secret as Coder sent it.",
            ),
            Reason.EXPIRED: Explanation(
                "CoderLicense: Ready, Valid `False`",
                "The licence has expired, and its grace period is over.",
                "Put a new licence into the Secret of `spec.secretRef`.",
            ),
            Reason.INVALID_REFERENCE: Explanation(
                "CoderTemplateACL: Ready `False`",
                "`spec.template` names another template than the one that the object was applied to, or a "
                "CoderGroup of `spec.groups` belongs to another CoderDeployment or is Everyone.",
                "Correct the reference. For another template, delete the object and create it anew.",
            ),
            Reason.NOT_ALLOWED: Explanation(
                "objects: Ready `False`",
                "The CoderDeployment is in another namespace and does not allow this one what the object asks for. "
                "An object that is deleted then leaves what it stands for in Coder.",
                "Add the namespace to `spec.allowedNamespaces` of the CoderDeployment, or what the message names "
                "to an entry of its `spec.allow`.",
            ),
            Reason.CONFLICT: Explanation(
                "objects: Ready `False`",
                "Another object, which is older or has recorded it, claims the same thing in Coder; one whose "
                "CoderDeployment has the token of an owner goes before one whose has another. This one makes no "
                "calls.",
                "Delete one of the two.",
            ),
            Reason.ALREADY_EXISTS: Explanation(
                "objects: Ready `False`",
                "It exists in Coder and was not made by this object. `status.pendingChanges` shows what differs.",
                "Set `spec.adoptionPolicy` to `AdoptIfIdentical` or `Adopt` to take it over, or choose another name.",
            ),
            Reason.NOT_IDENTICAL: Explanation(
                "objects: Ready `False`",
                "It exists in Coder and differs, and `spec.adoptionPolicy` is `AdoptIfIdentical`. "
                "`status.pendingChanges` shows what differs.",
                "Change spec, or set `spec.adoptionPolicy` to `Adopt`.",
            ),
            Reason.NOT_FOUND: Explanation(
                "objects: Ready `False`; CoderDeployment: Ready `False`",
                "What is observed or referred to does not exist in Coder, or the token cannot see it. On a "
                "CoderDeployment: what answers there is not Coder's API.",
                "Create it in Coder, correct the reference, or use the token of an owner.",
            ),
            Reason.REFUSED: Explanation(
                "all kinds: Ready `False`",
                "Coder refused the request, or Kubernetes a Secret or a Deployment; the message is their own and "
                "names the field.",
                "Change the field.",
            ),
            Reason.FORBIDDEN: Explanation(
                "all kinds: Ready `False`; CoderDeployment: Authenticated `False`",
                "The token's user may not do this, or the feature is not licensed; or Kubernetes does not let the "
                "operator read or write a Secret or a Deployment.",
                "Use the token of an owner, or add a licence; or give the operator's service account the right "
                "that the message names.",
            ),
            Reason.TOKEN_NOT_SHOWN: Explanation(
                "CoderWorkspaceProxy: Ready `False`",
                "Coder made a token for the proxy and did not show it: a server that answers with the documented "
                "fields and nothing more.",
                "Put a token into the Secret of `spec.tokenSecret`, or upgrade Coder and annotate the object with "
                "`enterprise.coder.com/rotate-token-at`.",
            ),
            Reason.CANNOT_CHANGE: Explanation(
                "CoderUser objects: Ready `False`",
                "The user differs in what Coder never changes, e-mail or login type. All else is applied.",
                "Delete the object with `spec.deletionPolicy` `Retain`, and create it anew as the user is, with "
                "`spec.adoptionPolicy` `Adopt`.",
            ),
            Reason.SCIM_NOT_CONFIGURED: Explanation(
                "CoderUser objects: Ready `False`",
                "`spec.via` is `SCIM`, and the CoderDeployment has no key for it.",
                "Set `spec.scimSecretRef` of the CoderDeployment, or `spec.via` to `API`.",
            ),
            Reason.SCIM_REFUSED: Explanation(
                "CoderUser objects: Ready `False`",
                "SCIM did not accept its key or the request, or is not there: it is not licensed, or "
                "`CODER_SCIM_AUTH_HEADER` is not set on the server. The message is the server's.",
                "Correct the Secret of `spec.scimSecretRef`, or switch SCIM on.",
            ),
            Reason.DRIFTED: Explanation(
                "objects: Synced `False`",
                "Under `spec.managementPolicy` `Plan` or `Observe`: Coder differs from spec, and "
                "`status.pendingChanges` shows how.",
                "Set `spec.managementPolicy` to `Enforce`, or change spec.",
            ),
        },
    ),
    Section(
        "Condition of a CoderTemplateACL",
        {
            Reason.GROUPS_SHOWN: Explanation(
                "CoderTemplateACL: GroupsVisible `True`", "The server tells the roles of groups.", "Nothing."
            ),
            Reason.GROUPS_NOT_SHOWN: Explanation(
                "CoderTemplateACL: GroupsVisible `False`",
                "The server answers with the documented list, which has the users alone. Roles of groups are as "
                "this object applied them last; what others change there is neither noticed nor corrected, and "
                "groups that others gave a role keep it.",
                "Nothing, or let the server use the wire profile `codersdk`.",
            ),
        },
    ),
    Section(
        "Conditions of a CoderDeployment",
        {
            Reason.ANSWERING: Explanation("CoderDeployment: Reachable `True`", "The deployment answers.", "Nothing."),
            Reason.TOKEN_ACCEPTED: Explanation(
                "CoderDeployment: Authenticated `True`",
                "The deployment accepts the token; the message says whose it is.",
                "Nothing.",
            ),
            Reason.LICENSED: Explanation(
                "CoderDeployment: Licensed `True`", "There is a licence. The message has Coder's warnings.", "Nothing."
            ),
            Reason.GRACE_PERIOD: Explanation(
                "CoderDeployment: Licensed `True`; CoderLicense: Valid `True`",
                "A licence has expired, and its features work for a while longer.",
                "Add a new licence.",
            ),
            Reason.UNLICENSED: Explanation(
                "CoderDeployment: Licensed `False`", "There is no licence.", "Add one, if you need its features."
            ),
            Reason.REPLICAS_HEALTHY: Explanation(
                "CoderDeployment: ReplicasHealthy `True`", "All replicas of Coder reach each other.", "Nothing."
            ),
            Reason.REPLICA_ERRORS: Explanation(
                "CoderDeployment: ReplicasHealthy `False`",
                "A replica cannot reach another; the message says which.",
                "Let the replicas reach each other at their relay addresses.",
            ),
            Reason.PROVISIONERS_SEEN: Explanation(
                "CoderDeployment: ProvisionersAvailable `True`",
                "External provisioner daemons are connected.",
                "Nothing.",
            ),
            Reason.NO_PROVISIONERS: Explanation(
                "CoderDeployment: ProvisionersAvailable `False`",
                "No external provisioner daemon was seen within 90 seconds.",
                "Start one, unless Coder's built-in provisioners are all you use.",
            ),
            Reason.NOT_SERVED: Explanation(
                "CoderDeployment: Licensed, ReplicasHealthy, ProvisionersAvailable `Unknown`; all other kinds: "
                "Ready `False`",
                "This server has no such endpoint, or does not show it to this token: it is the open-source build, "
                "it is old, or the feature is not licensed.",
                "Nothing, or use the token of an owner, or a Coder that has it; for workspace proxies below Coder "
                "2.6, enable the experiment `moons`.",
            ),
        },
    ),
    Section(
        "Conditions of a CoderLicense",
        {
            Reason.VALID: Explanation("CoderLicense: Valid `True`", "The licence is in force.", "Nothing."),
            Reason.EXPIRES_SOON: Explanation(
                "CoderLicense: Valid `True`",
                "The licence expires in less than 30 days, a trial in less than 7.",
                "Put a new licence into the Secret of `spec.secretRef`; it is uploaded, and the old one removed "
                "once the new one is in force.",
            ),
            Reason.NOT_YET_VALID: Explanation(
                "CoderLicense: Valid `False`",
                "The licence is uploaded, and its term has not begun. An older licence of this object stays until "
                "then.",
                "Nothing.",
            ),
        },
        before="Beside `GracePeriod` and `Expired`:",
        after="The metric `coder_enterprise_license_days_left` tells, by deployment, the days until what its "
        "licences cover now ends.",
    ),
    Section(
        "Conditions of a CoderWorkspaceProxy",
        {
            Reason.REGISTERED: Explanation(
                "CoderWorkspaceProxy: Registered `True`",
                "A proxy has registered with the token; `status.url` is its address.",
                "Nothing.",
            ),
            Reason.PROXY_HEALTHY: Explanation(
                "CoderWorkspaceProxy: Healthy `True`",
                "Coder finds the proxy healthy. The message has its warnings.",
                "Nothing.",
            ),
            Reason.WORKLOAD_AVAILABLE: Explanation(
                "CoderWorkspaceProxy: WorkloadAvailable `True`",
                "The Deployment of `spec.workload` is available.",
                "Nothing.",
            ),
        },
    ),
)

EXPLANATIONS: Final = {reason: text for section in SECTIONS for reason, text in section.reasons.items()}
