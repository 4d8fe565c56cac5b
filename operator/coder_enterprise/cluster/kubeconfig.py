"""Which cluster to talk to, as whom, and through which proxy: from a kubeconfig, or in a pod from its service account.

Used by the commands; what comes of it is for `cluster.client`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import incluster_config
from kubernetes.aio.config.config_exception import ConfigException

from coder_enterprise.client import proxies
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.kubeconfig_files import Mistake, chosen

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
    if kubeconfig is None and context is None and _is_in_pod():
        namespace = _of_pod(settings)
    else:
        namespace = await _of_files(settings, kubeconfig, context)
    try:
        proxy_of(settings)
    except ValueError as error:
        raise _none(f"no way to the Kubernetes API: {error}") from None
    return Access(settings, namespace or "default")


def _none(why: str) -> KubernetesError:
    return KubernetesError(0, "NoConfiguration", why)


def _is_in_pod() -> bool:
    """And nothing there names another cluster, as it does where people work in pods."""
    named = os.environ.get("KUBECONFIG") or (Path.home() / ".kube" / "config").exists()
    return SERVICE_ACCOUNT.is_dir() and not named


def _of_pod(settings: Configuration) -> str:
    try:
        incluster_config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except (ConfigException, OSError) as error:
        raise _none(f"no cluster to connect to: {error}; name one with --kubeconfig") from None


async def _of_files(settings: Configuration, kubeconfig: Path | None, context: str | None) -> str:
    paths = [kubeconfig] if kubeconfig else _usual()
    where = ", ".join(map(str, paths))
    try:
        return await _load(settings, paths, chosen(paths, context))
    except Mistake as error:
        why = str(error)
    except OSError as error:
        why = f"{where} names {error.filename}: {error.strerror}; name another kubeconfig with --kubeconfig"
    except ConfigException as error:
        why = f"{where}: {error}; mend it, or name another with --kubeconfig"
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        why = f"{where} is no kubeconfig, or has fields of other types; mend it, or name another with --kubeconfig"
    raise _none(f"no cluster to connect to: {why}")


async def _load(settings: Configuration, paths: Sequence[Path], context: str | None) -> str:
    """Fill `settings` in; the namespace of the context, or ""."""
    from kubernetes.aio.config import kube_config  # 3 MiB, which no pod needs

    with _complaints(kube_config.logger) as complaints:
        loader = await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=os.pathsep.join(map(str, paths)),
            context=context,
            client_configuration=settings,
            persist_config=False,
        )
    where = ", ".join(map(str, paths))
    if complaints and not (settings.api_key or settings.cert_file):
        told = "; ".join(complaints)
        raise Mistake(f"{where} gives no credentials: {told}; mend that, or choose another context with --context")
    _require_certificates(settings, where)
    return str(loader.current_context["context"].get("namespace") or "")


def _require_certificates(settings: Configuration, where: str) -> None:
    """OpenSSL's words for a file without one do not tell which it is. Raises `Mistake`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    field = "certificate-authority"
    try:
        if settings.ssl_ca_cert:
            context.load_verify_locations(settings.ssl_ca_cert)
        field = "client-certificate or client-key"
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except ssl.SSLError:
        raise Mistake(f"{where} has a {field} that cannot be used; write PEM there, in base64 if it is data") from None


def _usual() -> list[Path]:
    """Where kubeconfigs are that nobody names, one at least. Raises `KubernetesError`."""
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    paths = [Path(path).expanduser() for path in named.split(os.pathsep) if path]
    there = [path for path in paths if path.exists()]
    if not there:
        missing = ", nor ".join(map(str, paths))
        raise _none(f"no cluster to connect to: there is no file {missing}; name a kubeconfig with --kubeconfig")
    return there


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
