"""Requests to the Kubernetes API, as plain objects.

Used by the operator's reconcilers, leases and recorder, and by the commands that look at a cluster. Where the cluster
is and who we are there, a `Configuration` of the Kubernetes library says; requests are aiohttp's and JSON, without a
layer between that would take half as long again: one merge patch per write, no models of kinds it does not know.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import Configuration

from coder_enterprise import __version__
from coder_enterprise.client import proxies
from coder_enterprise.client.retry_after import retry_after
from coder_enterprise.client.sending import Connector, Request
from coder_enterprise.cluster.answers import page_of, parsed, refusal
from coder_enterprise.cluster.errors import Gone, KubernetesError
from coder_enterprise.cluster.kubeconfig import proxy_of
from coder_enterprise.cluster.paths import SECRETS, Collection
from coder_enterprise.cluster.secrets import Secret

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
FIELD_MANAGER: Final = "coder-enterprise-operator"
PAGE: Final = 500
CONNECTIONS: Final = 64
TIMEOUT: Final = 30.0
RETRIES: Final = 5
"""How often a request is repeated that the API server was too busy for."""
MIN_RETRY_AFTER: Final = 0.5
"""Seconds before the first repetition, doubled with each, whatever the API server asks for."""
MAX_RETRY_AFTER: Final = 10.0


def micro_time() -> str:
    """Now, as the API's MicroTime: RFC 3339 with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class KubernetesClient:
    """Requests to one API server. Close it, or use it as an asynchronous context manager."""

    def __init__(self, settings: Configuration, program: str = "coder-enterprise-operator") -> None:
        """`program` is what the API server's audit log calls it."""
        self.host: str = settings.host
        self._proxy = proxy_of(settings)
        settings = copy.copy(settings)
        settings.proxy = self._proxy.url if self._proxy else None
        self._settings = settings
        self._tls = _tls(settings)
        self._agent = f"{program}/{__version__}"
        # A write may look whether it may still be made, also when it is repeated.
        self._http = self._session(Connector(limit=CONNECTIONS, ssl=self._tls))

    async def __aenter__(self) -> KubernetesClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.close()

    def with_token(self, token: str, program: str) -> KubernetesClient:
        """To the same API server, as whom the token is of, and with nothing else that says who we are."""
        settings = copy.copy(self._settings)
        settings.api_key, settings.api_key_prefix = {"BearerToken": f"Bearer {token}"}, {}
        settings.refresh_api_key_hook = None
        settings.cert_file = settings.key_file = None
        settings.username = settings.password = settings.access_token = None
        return KubernetesClient(settings, program)

    def session(self, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
        """For who sends requests to the same API server by itself: with the same credentials, TLS and proxy. The
        caller closes it."""
        return self._session(aiohttp.TCPConnector(limit=0, ssl=self._tls), *middlewares)

    def _session(
        self, connector: aiohttp.TCPConnector, *middlewares: aiohttp.ClientMiddlewareType
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            request_class=Request,
            headers={"User-Agent": self._agent},
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
        async for items, _ in self._pages(collection, namespace, query, accept):
            yield items

    async def listing(
        self, collection: Collection, namespace: str | None = None, fields: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        """All objects that the field selector fits, and the version from which on a watch tells what changes."""
        query = {"limit": str(PAGE)} | ({"fieldSelector": fields} if fields else {})
        found: list[dict[str, Any]] = []
        versions = []
        async for items, version in self._pages(collection, namespace, query, "application/json"):
            found += items
            versions.append(version)
        return found, versions[0]

    async def _pages(
        self, collection: Collection, namespace: str | None, query: dict[str, str], accept: str
    ) -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
        while True:
            page = page_of(await self._request("GET", collection.path(namespace), query=query, accept=accept))
            yield page.items, page.version
            if not page.token:
                return
            query["continue"] = page.token

    async def discover(self, api: str) -> list[dict[str, Any]]:
        """The resources that the API server has there, such as below /apis/apps/v1. Raises `Gone` when it has none."""
        resources = (await self._request("GET", api)).get("resources") or []
        return [resource for resource in resources if isinstance(resource, dict)]

    async def version(self) -> str:
        """Of the API server, such as v1.37.2."""
        return str((await self._request("GET", "/version")).get("gitVersion", ""))

    async def look(self, collection: Collection, namespace: str | None = None, selector: str = "") -> None:
        """Raises unless it can be listed."""
        query = {"limit": "1"} | ({"labelSelector": selector} if selector else {})
        await self._request("GET", collection.path(namespace), query=query, accept=METADATA_ONLY)

    async def create(
        self, collection: Collection, namespace: str, body: Mapping[str, Any], *, trial: bool = False
    ) -> dict[str, Any]:
        """`trial`: only whether it would be made."""
        query = {"dryRun": "All"} if trial else None
        return await self._request("POST", collection.path(namespace), query=query, body=body)

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
                raise refusal(status, text)
            await asyncio.sleep(_delay(wanted, attempt))
        return parsed(text)

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, str, float | None]:
        content = None if body is None else json.dumps(body)
        timeout = aiohttp.ClientTimeout(TIMEOUT)
        try:
            async with self._http.request(
                method, self.host + path, params=query, data=content, headers=headers, timeout=timeout
            ) as answer:
                text = (await answer.read()).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubernetesError(0, "Unreachable", self.explain(error)) from None
        wanted = answer.headers.get("Retry-After", "") if answer.status in {429, 503} else ""
        return answer.status, text, retry_after(wanted)


def _tls(settings: Configuration) -> ssl.SSLContext:
    """Raises `OSError` for files that are not there or are none."""
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert, cadata=settings.ca_cert_data)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, keyfile=settings.key_file)
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.disable_strict_ssl_verification:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _delay(wanted: float, attempt: int) -> float:
    """Seconds until the next attempt after that one: what the API server asks for, within bounds, and spread."""
    least = MIN_RETRY_AFTER * 2.0**attempt
    return min(max(wanted, least), MAX_RETRY_AFTER) * random.uniform(1.0, 1.5)  # noqa: S311
