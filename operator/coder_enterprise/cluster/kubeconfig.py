"""Which cluster to talk to, as whom, and through which proxy: from a kubeconfig, or in a pod from its service account.

Used by the commands; what comes of it is for `cluster.client`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import incluster_config
from kubernetes.aio.config.config_exception import ConfigException

from coder_enterprise.client import proxies
from coder_enterprise.cluster.errors import KubernetesError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Access:
    settings: Configuration
    namespace: str
    """Where to look for objects unless somebody names another one."""


async def configuration(kubeconfig: Path | None = None, context: str | None = None) -> Configuration:
    """From a kubeconfig (the given one, else $KUBECONFIG or ~/.kube/config), or in a pod from its service account.

    Raises `KubernetesError` with what to do when there is neither.
    """
    return (await access(kubeconfig, context)).settings


async def access(kubeconfig: Path | None = None, context: str | None = None) -> Access:
    """The same, and the namespace that the context names."""
    settings = Configuration()
    try:
        if kubeconfig is None and context is None and _is_in_pod():
            incluster_config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
        else:
            namespace = await _load(settings, kubeconfig, context)
    except (ConfigException, OSError) as error:
        raise KubernetesError(
            0, "NoConfiguration", f"no cluster to connect to: {error}; name one with --kubeconfig"
        ) from None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise KubernetesError(0, "NoConfiguration", f"the kubeconfig cannot be understood: {cause}") from None
    try:
        proxy_of(settings)
    except ValueError as error:
        raise KubernetesError(0, "NoConfiguration", f"no way to the Kubernetes API: {error}") from None
    return Access(settings, namespace or "default")


def _is_in_pod() -> bool:
    """And nothing there names another cluster, as it does where people work in pods."""
    named = os.environ.get("KUBECONFIG") or (Path.home() / ".kube" / "config").exists()
    return SERVICE_ACCOUNT.is_dir() and not named


async def _load(settings: Configuration, kubeconfig: Path | None, context: str | None) -> str:
    """Fill `settings` in; the namespace of the context, or "". Raises `ConfigException`, `OSError` and
    `KubernetesError`."""
    if kubeconfig is None:
        _must_be_there()
    from kubernetes.aio.config import kube_config  # 3 MiB, which no pod needs

    with _complaints(kube_config.logger) as complaints:
        loader = await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig) if kubeconfig else None,
            context=context,
            client_configuration=settings,
            persist_config=False,
        )
    if complaints and not (settings.api_key or settings.cert_file):
        raise KubernetesError(0, "NoConfiguration", f"the kubeconfig gives no credentials: {'; '.join(complaints)}")
    return str(loader.current_context["context"].get("namespace") or "")


def _must_be_there() -> None:
    """One at least, where nobody names one: the loader takes none for one that is empty. Raises `KubernetesError`."""
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    paths = [path for path in named.split(os.pathsep) if path]
    if not any(Path(path).expanduser().exists() for path in paths):
        text = f"no cluster to connect to: there is no file {', nor '.join(paths)}; name a kubeconfig with --kubeconfig"
        raise KubernetesError(0, "NoConfiguration", text)


@contextlib.contextmanager
def _complaints(logger: logging.Logger) -> Iterator[list[str]]:
    """What the loader of kubeconfigs only logs, such as a plugin that fails, before it goes on as nobody."""
    found: list[str] = []

    def take(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            found.append(" ".join(record.getMessage().split()))
        return False

    logger.addFilter(take)
    try:
        yield found
    finally:
        logger.removeFilter(take)


def proxy_of(settings: Configuration) -> proxies.Proxy | None:
    """Raises `ValueError` for one that cannot be used."""
    if settings.proxy:
        return proxies.named(settings.proxy, "proxy-url in the kubeconfig")
    return proxies.proxy_for(settings.host)
