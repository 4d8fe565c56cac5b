"""What a container finds at its mount paths, with the owners and modes that a kubelet gives: called by `agent`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.support.kubelet.container import Mount
from tests.support.kubelet.objects import Body, Objects, Unready
from tools.kubernetes.control_plane import ControlPlane

DEFAULT_MODE: Final = 0o644
SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def mounts(objects: Objects, spec: Body, folder: Path, claims: Path) -> Iterator[Mount]:
    """Those of the only container; `folder` is the pod's, and volumes of claims are in `claims`. Raises `Unready`."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
    for mount in spec["containers"][0].get("volumeMounts", ()):
        volume = volumes[mount["name"]]
        files = _files(objects, volume)
        read_only = mount.get("readOnly", False) or files is not None
        if files is not None:
            source = folder / mount["name"]
            _project(files, source, _mode(volume))
        elif claim := volume.get("persistentVolumeClaim"):
            source = claims / _bound(objects, claim["claimName"])
            source.mkdir(exist_ok=True)
        else:
            source = folder / mount["name"]
            source.mkdir(parents=True, exist_ok=True)
            source.chmod(0o777)
        _give(source, spec.get("securityContext", {}).get("fsGroup"), writable=not read_only)
        yield Mount(source, mount["mountPath"], read_only)


def service_account(objects: Objects, plane: ControlPlane, name: str, folder: Path) -> Mount:
    """The token of that account, where programs in pods look for it. Raises `Unready`."""
    answer = objects.http.post(objects.path("serviceaccounts", f"{name}/token"), json={"spec": {}})
    if not answer.is_success:
        raise Unready(answer.text)
    source = folder / "service-account"
    files = {
        "token": answer.json()["status"]["token"],
        "ca.crt": plane.ca_file.read_text(),
        "namespace": objects.namespace,
    }
    _project(files, source, DEFAULT_MODE)
    return Mount(source, SERVICE_ACCOUNT, read_only=True)


def _bound(objects: Objects, claim: str) -> str:
    """The name of its volume; what is written there outlives the pod."""
    found = objects.get("persistentvolumeclaims", claim)
    if found.get("status", {}).get("phase") != "Bound":
        raise Unready(f'persistentvolumeclaim "{claim}" is not bound')
    return str(found["spec"]["volumeName"])


def _files(objects: Objects, volume: Body) -> Mapping[str, str] | None:
    """By name, of a Secret or a ConfigMap; None for other volumes."""
    if secret := volume.get("secret"):
        name = secret["secretName"]
        return {item["path"]: objects.value("secrets", name, item["key"]) for item in secret["items"]}
    if config := volume.get("configMap"):
        return objects.data("configmaps", config["name"])
    return None


def _mode(volume: Body) -> int:
    mode: int = (volume.get("secret") or volume["configMap"]).get("defaultMode", DEFAULT_MODE)
    return mode


def _project(files: Mapping[str, str], folder: Path, mode: int) -> None:
    """Anew, as a restart finds them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(mode)


def _give(folder: Path, group: int | None, *, writable: bool) -> None:
    """To the pod's group, as far as this process may."""
    if group is None or os.geteuid() != 0:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, -1, group)
        if writable:
            path.chmod(path.stat().st_mode | (0o2770 if path.is_dir() else 0o660))
