"""One connection per CoderDeployment: its client, its limits, and whether objects may use it now.

The deployment reconciler opens, judges and closes connections; the reconciler of managed objects borrows them. A
connection that lost its Secret or its CoderDeployment is remembered for deletions alone, so that objects which go
last can still clean up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Protocol

from typing_extensions import override

from coder_enterprise.client import errors, tls
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import Call, CallHooks, ConnectionSettings
from coder_enterprise.controller import metrics
from coder_enterprise.controller.doubts import Doubts
from coder_enterprise.controller.limits import TokenBucket
from coder_enterprise.controller.written import wrote
from coder_enterprise.kinds.machinery.base import Beside, Context
from coder_enterprise.kinds.machinery.connection import Probe
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource

USERS_MAX_AGE: Final = 5.0
"""Seconds: a list of users must be this young to prove that somebody does not exist."""

PATIENCE: Final = 5.0
"""Seconds that a request waits for the end of a pause; for a longer one it fails, so that no worker is held up."""
MAX_PAUSE: Final = 300.0
"""Seconds: a longer Retry-After is not believed."""

_CREDENTIALS_LOST: Final = frozenset({Reason.SECRET_NOT_FOUND, Reason.SECRET_KEY_MISSING})


class Gate(Protocol):
    """What requests have to tell; `controller.gate`."""

    def doubt(self, deployment: Key, delay: float) -> None:
        """It may not answer any more: ask it in `delay` seconds."""

    def pause(self, deployment: Key, seconds: float) -> None:
        """It asked for a pause: let its objects wait for that long."""


class Hooks(CallHooks):
    """Around each request: the fence, the rate limit, the doubts that answers raise, and the metrics."""

    def __init__(
        self,
        deployment: str,
        fence: Callable[[], None],
        bucket: TokenBucket,
        doubted: Callable[[float], None],
        paused: Callable[[float], None],
    ) -> None:
        """`deployment` is its name for the metrics; `doubted` and `paused` are told seconds."""
        self.doubts = Doubts()
        self.ended = False
        """The connection is closed: what comes in late is counted nowhere."""
        self._deployment = deployment
        self._fence = fence
        self._bucket = bucket
        self._doubted = doubted
        self._paused = paused

    @override
    async def before(self, call: Call) -> None:
        left = await self._bucket.acquire(PATIENCE)
        if left > 0:
            raise errors.TooManyRequests(429, "it asked for a pause, which is not over", left)
        self.sending(call)

    @override
    def sending(self, call: Call) -> None:
        if call.writes:
            self._fence()

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        if call.writes and error is None:
            wrote(call.operation)
        if self.ended:
            return
        metrics.external_request(self._deployment, call, error, seconds)
        if isinstance(error, errors.TooManyRequests):
            self._pause(min(error.retry_after, MAX_PAUSE))
        elif isinstance(error, errors.OUTAGE):
            delay = self.doubts.failed(error)
            if delay is not None:
                self._doubted(delay)
        else:
            self.doubts.succeeded()

    def _pause(self, seconds: float) -> None:
        self._bucket.pause(seconds)
        if seconds > PATIENCE:
            self._paused(seconds)


class Connection:
    """The connection of one CoderDeployment."""

    def __init__(self, key: Key, beside: Beside) -> None:
        self.key = key
        self._beside = beside
        self.settings: ConnectionSettings | None = None
        self.probe: Probe | None = None
        """What the last reconcile of the deployment found; None before the first."""
        self.probed_at = float("-inf")
        self.known_at: datetime | None = None
        """When it last told how it is."""
        self.resync_at = float("-inf")
        self.generation = 0
        """Of the CoderDeployment's spec that `probe` speaks of."""
        self.retry_delay = 0.0
        """Seconds between the last two probes in a row that failed; 0 when none did."""
        self.deleted = False
        self.last_declared: Resource | None = None
        """The CoderDeployment as it was when it went: whom it allowed then."""
        self._rate: float | None = None
        self._client: CoderClient | None = None
        self._directory: Directory | None = None
        self._hooks: Hooks | None = None
        self._bucket: TokenBucket | None = None

    @property
    def probing(self) -> bool:
        """Nobody knows yet whether it is usable."""
        return self.probe is None and not self.deleted

    @property
    def usable(self) -> bool:
        return not self.deleted and self.probe is not None and self.probe.usable

    @property
    def pause_left(self) -> float:
        """Seconds until it may be asked anything, because it said so; 0 when it may now, or may be waited for."""
        left = self._bucket.pause_left if self._bucket else 0.0
        return left if left > PATIENCE else 0.0

    @property
    def lost_credentials(self) -> bool:
        """Its Secret is gone; those that worked last serve deletions."""
        return self.probe is not None and self.probe.reason in _CREDENTIALS_LOST

    @property
    def client(self) -> CoderClient | None:
        return self._client

    @property
    def directory(self) -> Directory | None:
        return self._directory

    @property
    def why_not(self) -> str:
        """Why it is not usable, for the objects that wait."""
        return self.probe.message if self.probe else "it has not been asked yet"

    async def open(
        self, settings: ConnectionSettings, rate: float | None, fence: Callable[[], None], gate: Gate
    ) -> bool:
        """Connect with `settings`, unless it is connected so already; True when it is new."""
        if self._client is not None and settings == self.settings and rate == self._rate:
            return False
        # Made here, off the event loop, for the client to find; and kept until the client has it.
        trust = await tls.prepare(settings.ca_bundle) if settings.url.startswith("https:") else None
        bucket = TokenBucket(rate)
        hooks = Hooks(
            self.key.namespaced_name,
            fence,
            bucket,
            doubted=lambda delay: self._doubted(hooks, gate, delay),
            paused=lambda seconds: gate.pause(self.key, seconds),
        )
        client = CoderClient(settings, hooks)
        del trust
        await self.close()
        if self.settings is not None and self.settings.url != settings.url:
            self.probe = None  # nothing is known of what is there
        self.settings, self._rate = settings, rate
        self._hooks, self._bucket = hooks, bucket
        self._client, self._directory = client, Directory(client)
        return True

    async def close(self) -> None:
        if self._client is not None and self._hooks is not None:
            self._hooks.ended = True
            await self._client.close()
            self._client = None

    def context(self) -> Context | None:
        """For reconciles; None while it is not usable."""
        return self._context() if self.usable else None

    def context_for_deletion(self) -> Context | None:
        """Also with the credentials that worked last, when the Secret or the CoderDeployment went first."""
        return self._context() if self.usable or self.deleted or self.lost_credentials else None

    def judge(self, probe: Probe, generation: int) -> None:
        """Take over what a reconcile of the deployment found, with its spec of that generation."""
        self.probe, self.generation = probe, generation
        self.probed_at = now()
        if probe.usable:
            self.known_at = datetime.now(UTC)
        if probe.usable and self._hooks:
            self._hooks.doubts.settle()

    def _doubted(self, hooks: Hooks, gate: Gate, delay: float) -> None:
        """Requests of a client that has been replaced say nothing, and what is known to be out is being asked."""
        if hooks is self._hooks and self.usable:
            gate.doubt(self.key, delay)

    def _context(self) -> Context | None:
        if self._client is None or self._directory is None:
            return None
        return Context(
            client=self._client,
            directory=self._directory,
            beside=self._beside,
            users_newer_than=now() - USERS_MAX_AGE,
        )


class Connections:
    """All connections, by the key of their CoderDeployment."""

    def __init__(self, beside: Beside) -> None:
        self._beside = beside
        self._connections: dict[Key, Connection] = {}

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections.values()))

    def get(self, key: Key) -> Connection | None:
        return self._connections.get(key)

    def ensure(self, key: Key) -> Connection:
        """The connection of that deployment, made when it is new."""
        connection = self._connections.setdefault(key, Connection(key, self._beside))
        connection.deleted = False
        return connection

    def detach(self, deployment: Resource) -> None:
        """That CoderDeployment is gone: remembered for deletions alone."""
        connection = self._connections.get(deployment.key)
        if connection is not None:
            connection.deleted = True
            connection.last_declared = deployment
            connection.probe = None

    async def forget(self, key: Key) -> None:
        """Nobody needs it any more, not even for a deletion."""
        connection = self._connections.pop(key, None)
        if connection is not None:
            await connection.close()
            metrics.forget(key)

    async def sweep(self, needed: Callable[[Key], bool]) -> None:
        """Forget those of deployments that are gone, and that nobody needs any more."""
        for connection in self:
            if connection.deleted and not needed(connection.key):
                await self.forget(connection.key)

    def measure(self) -> None:
        for connection in self:
            if not connection.deleted:
                metrics.circuit_open.labels(connection.key.namespaced_name).set(not connection.usable)

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()
