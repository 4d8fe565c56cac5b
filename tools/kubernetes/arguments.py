"""What the programs of a control plane are told: called by `control_plane`, which starts them.

There are two sorts of control planes. One on 127.0.0.1 serves objects, and nothing runs pods. One on another address
is for a kubelet (`tools.node`): pods reach it as the Service `kubernetes`, have their tokens, and all controllers run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
SERVICES: Final = "10.96.0.0/16"
"""The addresses of Services. `kubernetes` has the first."""
CONTROLLERS: Final = (
    "garbage-collector-controller,namespace-controller,deployment-controller,replicaset-controller,"
    "serviceaccount-controller,endpointslice-controller,root-ca-certificate-publisher-controller,"
    "statefulset-controller,job-controller,disruption-controller,persistentvolume-binder-controller"
)
STAGES: Final = Path(__file__).parent / "kwok" / "stages.yaml"


@dataclass(frozen=True)
class Place:
    """Where one control plane is, and what it is for."""

    folder: Path
    address: str
    port: int
    etcd: int = 0
    """Its port on 127.0.0.1, as the next."""
    etcd_peer: int = 0

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def ca_file(self) -> Path:
        return self.certificates / "apiserver.crt"

    @property
    def has_pods(self) -> bool:
        return self.address != LOOPBACK


def for_etcd(place: Place) -> list[str]:
    client = f"http://{LOOPBACK}:{place.etcd}"
    return [
        f"--data-dir={place.folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls=http://{LOOPBACK}:{place.etcd_peer}",
        "--log-level=warn",
    ]


def for_apiserver(place: Place, *audit: str) -> list[str]:
    """`audit`: more arguments, those of the audit log."""
    folder = place.folder
    if place.has_pods:
        sort = [f"--advertise-address={place.address}", "--kubelet-preferred-address-types=InternalIP"]
    else:
        # No controller is there that would take the taint of a new node away.
        sort = ["--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition"]
    return [
        f"--etcd-servers=http://{LOOPBACK}:{place.etcd}",
        f"--cert-dir={place.certificates}",
        f"--secure-port={place.port}",
        f"--bind-address={place.address}",
        *sort,
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'sa.key'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        *audit,
    ]


def for_controller_manager(place: Place) -> list[str]:
    return [
        f"--kubeconfig={place.kubeconfig}",
        f"--root-ca-file={place.ca_file}",
        f"--service-account-private-key-file={place.folder / 'sa.key'}",
        f"--controllers={'*' if place.has_pods else CONTROLLERS}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
    ]


def for_scheduler(kubeconfig: Path) -> list[str]:
    return [f"--kubeconfig={kubeconfig}", "--secure-port=0", "--leader-elect=false"]


def for_kwok(kubeconfig: Path, selector: str) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={STAGES}",
        f"--manage-nodes-with-label-selector={selector}",
        "--node-lease-duration-seconds=0",
        "--server-address=",
        "--node-port=0",
    ]
