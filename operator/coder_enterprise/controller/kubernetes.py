"""The only module that imports the Kubernetes client: the few requests that the operator makes, as plain objects.

Used by the reconcilers, the leases and the recorder. It goes through `ApiClient` for credentials, TLS and
connections, and speaks JSON itself: one merge patch per write, no models of kinds it does not know.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import codecs
import contextlib
import copy
import itertools
import json
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from coder_enterprise import __version__
from coder_enterprise.client import proxies
from coder_enterprise.client.http import retry_after
from coder_enterprise.kinds.resource import GROUP, VERSION

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
FIELD_MANAGER: Final = "coder-enterprise-operator"
PAGE: Final = 500
TIMEOUT: Final = 30.0
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RETRIES: Final = 5
"""How often a request is repeated that the API server was too busy for."""
MIN_RETRY_AFTER: Final = 0.5
"""Seconds before the first repetition, doubled with each, whatever the API server asks for."""
MAX_RETRY_AFTER: Final = 10.0


class KubernetesError(Exception):
    """The API server refused a request or did not answer; `status` is 0 without an answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.status = status
        self.reason = reason


class Gone(KubernetesError):
    """404: the object does not exist."""


class Conflicted(KubernetesError):
    """409: the object has changed meanwhile, or exists."""


def micro_time() -> str:
    """Now, as the API's MicroTime: RFC 3339 with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Collection:
    """Where objects of one type live."""

    api: str
    """Such as /api/v1 or /apis/enterprise.coder.com/v1alpha1."""
    plural: str

    @property
    def group_version(self) -> tuple[str, str]:
        """The group is "" for Kubernetes' own first kinds."""
        parts = self.api.split("/")
        return (parts[2] if parts[1] == "apis" else ""), parts[-1]

    @property
    def resource(self) -> str:
        """As RBAC and `kubectl get` name it, such as codergroups.enterprise.coder.com."""
        return ".".join(part for part in (self.plural, self.group_version[0]) if part)

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        parts = [self.api]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Secret:
    values: Mapping[str, str] = field(repr=False)
    """As text; bytes that are no text are surrogates in it (PEP 383)."""
    type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    """API versions of the objects that it belongs to."""

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Secret:
        meta = body.get("metadata") or {}
        return cls(
            values={key: _decode(value) for key, value in (body.get("data") or {}).items()},
            type=body.get("type") or "",
            labels=meta.get("labels") or {},
            owners=tuple(owner.get("apiVersion", "") for owner in meta.get("ownerReferences") or ()),
        )


SECRETS: Final = Collection("/api/v1", "secrets")
NAMESPACES: Final = Collection("/api/v1", "namespaces")
WORKLOADS: Final = Collection("/apis/apps/v1", "deployments")
EVENTS: Final = Collection("/apis/events.k8s.io/v1", "events")
LEASES: Final = Collection("/apis/coordination.k8s.io/v1", "leases")


def custom(plural: str) -> Collection:
    return Collection(f"/apis/{GROUP}/{VERSION}", plural)


async def configuration(kubeconfig: Path | None = None, context: str | None = None) -> Configuration:
    """From a kubeconfig (the given one, else $KUBECONFIG or ~/.kube/config), or in a pod from its service account.

    Raises `KubernetesError` with what to do when there is neither.
    """
    settings = Configuration()
    try:
        if kubeconfig is None and SERVICE_ACCOUNT.is_dir():
            kubernetes_config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=settings,
                persist_config=False,
            )
    except (kubernetes_config.ConfigException, OSError) as error:
        raise KubernetesError(
            0, "NoConfiguration", f"no cluster to connect to: {error}; name one with --kubeconfig"
        ) from None
    settings.retries = None
    settings.connection_pool_maxsize = 64
    try:
        _proxy(settings)
    except ValueError as error:
        raise KubernetesError(0, "NoConfiguration", f"no way to the Kubernetes API: {error}") from None
    settings.client_session_kwargs = {"trust_env": False}
    return settings


def _proxy(settings: Configuration) -> proxies.Proxy | None:
    """Raises `ValueError` for one that cannot be used."""
    if settings.proxy:
        return proxies.named(settings.proxy, "proxy-url in the kubeconfig")
    return proxies.proxy_for(settings.host)


class KubernetesClient:
    """Requests to one API server. Close it, or use it as an asynchronous context manager."""

    def __init__(self, settings: Configuration) -> None:
        self.host: str = settings.host
        self._proxy = _proxy(settings)
        settings = copy.copy(settings)
        settings.proxy = self._proxy.url if self._proxy else None
        self._settings = settings
        self._api = ApiClient(settings)
        self._api.user_agent = f"coder-enterprise-operator/{__version__}"

    async def __aenter__(self) -> KubernetesClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

    def session(self, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
        """For who sends requests to the same API server by itself: with the same credentials, TLS and proxy. The
        caller closes it."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._api.rest_client.ssl_context),
            headers={"User-Agent": self._api.user_agent},
            middlewares=(*middlewares, self._authorize),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._settings.proxy,
            trust_env=False,
        )

    def explain(self, error: Exception) -> str:
        """Why there is no answer."""
        cause = "not in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return f"the Kubernetes API does not answer: {proxies.failure(self._proxy, self.host, error) or cause}"

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """With each request, since a token in a file is renewed while the process runs."""
        token = await self._settings.get_api_key_with_prefix("BearerToken")
        if token:
            request.headers["Authorization"] = token
        if self._settings.tls_server_name:
            request.server_hostname = self._settings.tls_server_name
        return await handler(request)

    async def get(self, collection: Collection, namespace: str, name: str) -> dict[str, Any]:
        return await self._request("GET", collection.path(namespace, name))

    async def pages(
        self,
        collection: Collection,
        namespace: str | None = None,
        selector: str = "",
        *,
        metadata_only: bool = False,
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """All objects, 500 at a time; with `metadata_only` without spec and status."""
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        accept = METADATA_ONLY if metadata_only else "application/json"
        while True:
            items, token = _page(await self._request("GET", collection.path(namespace), query=query, accept=accept))
            yield items
            if not token:
                return
            query["continue"] = token

    async def look(self, collection: Collection, namespace: str | None = None, selector: str = "") -> None:
        """Raises unless it can be listed."""
        query = {"limit": "1"} | ({"labelSelector": selector} if selector else {})
        await self._request("GET", collection.path(namespace), query=query, accept=METADATA_ONLY)

    async def create(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._request("POST", collection.path(namespace), body=body)

    async def replace(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT; with a resourceVersion in `body`, only onto that version. Raises `Conflicted`."""
        return await self._request("PUT", collection.path(namespace, body["metadata"]["name"]), body=body)

    async def patch(
        self,
        collection: Collection,
        namespace: str,
        name: str,
        body: Mapping[str, Any],
        subresource: str = "",
    ) -> dict[str, Any]:
        """A merge patch; with a resourceVersion in `body`, only onto that version. Raises `Conflicted`."""
        return await self._request(
            "PATCH", collection.path(namespace, name, subresource), body=body, content_type=MERGE_PATCH
        )

    async def apply(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply: the fields in `body` are ours, whoever set them before."""
        return await self._request(
            "PATCH",
            collection.path(namespace, body["metadata"]["name"]),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=body,
            content_type=APPLY_PATCH,
        )

    async def delete(
        self, collection: Collection, namespace: str, name: str, version: str = "", propagation: str = "Background"
    ) -> None:
        """With what belongs to it: in the background, or in the "Foreground", where it goes last.

        With `version` only that one: raises `Conflicted`, or `Gone`.
        """
        await self._request(
            "DELETE",
            collection.path(namespace, name),
            query={"propagationPolicy": propagation},
            body={"preconditions": {"resourceVersion": version}} if version else None,
        )

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """None when there is no such Secret."""
        try:
            return Secret.from_body(await self.get(SECRETS, namespace, name))
        except Gone:
            return None

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        headers = {"Content-Type": content_type, "Accept": accept}
        for attempt in itertools.count():
            status, text, wanted = await self._exchange(method, path, query, body, headers)
            if status < 300:
                break
            if wanted is None or attempt == RETRIES:
                raise _error(status, text)
            await asyncio.sleep(_delay(wanted, attempt))
        return _parsed(text)

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, str, float | None]:
        try:
            request = await self._api.param_serialize(
                method,
                path,
                query_params=list(query.items()) if query else None,
                header_params=dict(headers),
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(
                method, request[1], header_params=request[2], body=body, _request_timeout=TIMEOUT
            )
            text = (await answer.read()).decode(errors="replace")  # type: ignore[no-untyped-call]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubernetesError(0, "Unreachable", self.explain(error)) from None
        wanted = answer.headers.get("Retry-After", "") if answer.status in {429, 503} else ""
        return answer.status, text, retry_after(wanted)


def _delay(wanted: float, attempt: int) -> float:
    """Seconds until the next attempt after that one: what the API server asks for, within bounds, and spread."""
    least = MIN_RETRY_AFTER * 2.0**attempt
    return min(max(wanted, least), MAX_RETRY_AFTER) * random.uniform(1.0, 1.5)  # noqa: S311


def _parsed(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise KubernetesError(0, "UnexpectedAnswer", "the Kubernetes API answered something else than an object")
    return answer


def _page(answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Its objects, and how to go on; of metadata alone, an API server says null where there are none."""
    items, metadata = answer.get("items", ""), answer.get("metadata")
    items = [] if items is None else items
    listed = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    if not listed or not isinstance(metadata, dict):
        raise KubernetesError(0, "UnexpectedAnswer", "the Kubernetes API answered something else than a list")
    return items, metadata.get("continue") or ""


def _decode(value: str) -> str:
    """As people have files: UTF-8, or UTF-16 with its mark."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return ""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode("utf-16")
    return raw.decode(errors="surrogateescape").removeprefix("\ufeff")


def _error(status: int, text: str) -> KubernetesError:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    kind = {404: Gone, 409: Conflicted}.get(status, KubernetesError)
    return kind(status, str(answer.get("reason", "")), str(answer.get("message", text[:200])))
