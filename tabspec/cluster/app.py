"""The Ray Serve application: an HTTP ingress, and the replicas of the model.

    serve run tabspec.cluster.app:build model=bundled replicas=2

Ray Serve's consistent hashing sends all requests of an editor to the same replica, which holds the editor's KV cache.
If a replica dies during an answer, the ingress lets another replica continue it. Answers depend only on the request,
so the client receives the same answer.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ray import serve
from ray.exceptions import RayError, RayTaskError, TaskCancelledError
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request
from starlette.responses import Response

from tabspec.cluster.endpoint import Endpoint
from tabspec.cluster.guard import Guard, digest_from_environment
from tabspec.cluster.replica import ModelOptions, Replica
from tabspec.cluster.request_body import ClusterRequest
from tabspec.errors import ConfigError, ModelError, ModelUnavailable
from tabspec.models.protocol import Chunk, ModelInfo

log = logging.getLogger(__name__)

# How many replicas are tried for one answer. A node that dies takes several replicas with it, and the router notices
# each loss only when it sends a request there.
TRIES = 4
ROUTER = "ray.serve.experimental.consistent_hash_router:ConsistentHashRouter"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """The number of processes, and the resources of each.

    The application starts with ``replicas`` of the model. If ``max_replicas`` is set, Ray scales between the two such
    that each replica runs about ``target_requests``. Ray reserves ``cpus`` and ``gpus`` for a replica; fractions are
    allowed. A replica runs at most ``most_requests`` at a time. Up to ``most_waiting`` more wait; further requests are
    refused with status 503. ``ingresses`` is the number of HTTP processes: one for each node is enough.
    ``allow_hosts`` are host names, separated by commas, that clients may use in addition to localhost and IP
    addresses. ``key_digest`` is the digest of the key that clients must have ("": none). Ray never receives the key.
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    replicas: int = 1
    max_replicas: int = 0
    # Requests that run together slow each other down. A suggestion that runs alone takes some hundred milliseconds.
    target_requests: float = 4.0
    cpus: float = 1.0
    gpus: float = 0.0
    most_requests: int = 64
    most_waiting: int = 1024
    ingresses: int = 1
    allow_hosts: str = ""
    key_digest: str = field(default="", repr=False)

    @property
    def guard(self) -> Guard:
        """The check that each request must pass."""
        names = (name.strip().lower() for name in self.allow_hosts.split(","))
        return Guard(self.key_digest, frozenset(filter(None, names)))

    def __post_init__(self) -> None:
        for name in ("replicas", "most_requests", "most_waiting", "ingresses"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1")
        if self.max_replicas and self.max_replicas < self.replicas:
            raise ConfigError("max_replicas is less than replicas")


class Cluster:
    """The endpoint's backend: sends requests to the replicas."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._info: tuple[ModelInfo, int] | None = None

    async def describe(self) -> tuple[ModelInfo, int]:
        for _ in range(TRIES):
            if self._info is None:
                try:
                    self._info = await self._handle.describe.remote()
                except RayTaskError:
                    raise
                except (RayError, DeploymentUnavailableError):
                    continue
            return self._info
        raise ModelUnavailable("no replica of the model answers")

    async def answer(self, asked: ClusterRequest) -> AsyncGenerator[Chunk, None]:
        emitted = ""
        for _ in range(TRIES):
            request = replace(asked.request, resume=asked.request.resume + emitted)
            # without an editor, Ray Serve chooses any replica
            routing = {"session_id": asked.editor} if asked.editor else {}
            handle = self._handle.options(method_name="answer", stream=True, **routing)
            stream = handle.remote(replace(asked, request=request))
            try:
                async for chunk in stream:
                    if isinstance(chunk, ModelError):
                        raise chunk
                    emitted += chunk.text
                    yield chunk
                return
            except BackPressureError:
                raise ModelUnavailable("too many requests wait for the model") from None
            except (RayTaskError, TaskCancelledError):
                raise
            except (RayError, DeploymentUnavailableError) as gone:
                log.warning("a replica died during an answer (%s): another one continues it", type(gone).__name__)
            finally:
                stream.cancel()
        raise ModelUnavailable(f"{TRIES} replicas of the model died during this answer")


class Ingress:
    """The deployment that answers HTTP requests."""

    def __init__(self, model: DeploymentHandle[Any], guard: Guard) -> None:
        self._endpoint = Endpoint(Cluster(model), guard)

    async def __call__(self, request: Request) -> Response:
        return await self._endpoint(request)


def application(options: ClusterOptions) -> serve.Application:
    """The application for `serve.run`."""
    scaling: dict[str, Any] = {"num_replicas": options.replicas}
    if options.max_replicas:
        scaling = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=options.replicas,
                max_replicas=options.max_replicas,
                target_ongoing_requests=options.target_requests,
            )
        }
    model = serve.deployment(Replica).options(
        name="model",
        max_ongoing_requests=options.most_requests,
        max_queued_requests=options.most_waiting,
        ray_actor_options={"num_cpus": options.cpus, "num_gpus": options.gpus},
        request_router_config=RequestRouterConfig(request_router_class=ROUTER),
        **scaling,
    )
    ingress = serve.deployment(Ingress).options(
        name="ingress",
        num_replicas=options.ingresses,
        # its streams mostly wait; the limits of the model's deployment apply to them
        max_ongoing_requests=4 * options.most_waiting,
        ray_actor_options={"num_cpus": 0},
    )
    return ingress.bind(model.bind(options.model), options.guard)


def build(arguments: Mapping[str, str]) -> serve.Application:
    """The application for `serve run tabspec.cluster.app:build NAME=VALUE…`. Names are the fields of `ClusterOptions`
    and `ModelOptions`; ``model`` is the model's name. The key is read from TABSPEC_CLUSTER_KEY. Raises `ConfigError`
    for an unknown name or a value that is not a number."""
    return application(replace(read_options(arguments), key_digest=digest_from_environment()))


def read_options(arguments: Mapping[str, str]) -> ClusterOptions:
    """Parse options that are given as texts."""
    layout = {item.name: item for item in fields(ClusterOptions) if item.name not in ("model", "key_digest")}
    model = {("model" if item.name == "name" else item.name): item for item in fields(ModelOptions)}
    found: dict[str, dict[str, Any]] = {"layout": {}, "model": {}}
    for name, value in arguments.items():
        item = layout.get(name) or model.get(name)
        if item is None:
            raise ConfigError(f"unknown option {name!r}; known are: {', '.join([*model, *layout])}")
        kind: Any = str if item.default is None else type(item.default)
        try:
            found["layout" if name in layout else "model"][item.name] = kind(value)
        except ValueError:
            raise ConfigError(f"option {name}: {value!r} is not a number") from None
    return ClusterOptions(ModelOptions(**found["model"]), **found["layout"])
