"""The Ray Serve application: an ingress that speaks HTTP, and the replicas of the model.

    serve run tabspec.cluster.app:build model=bundled replicas=2

A request goes to the replica that its editor's name hashes to (Ray Serve's consistent hashing), which has the editor's
KV cache. When a replica dies during an answer, the ingress lets another one continue it. Answers are a function of the
text, so the client gets the same answer.
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

from tabspec.cluster.asking import Asked
from tabspec.cluster.endpoint import Endpoint
from tabspec.cluster.guard import Guard, digest_from_environment
from tabspec.cluster.replica import Failed, ModelOptions, Replica
from tabspec.errors import ConfigError, ModelUnavailable
from tabspec.models.protocol import Chunk, ModelInfo

log = logging.getLogger(__name__)

# How many replicas an answer is tried on when they die. A node that dies takes several replicas with it, and the router
# notices each only when it sends a request there.
TRIES = 4
ROUTER = "ray.serve.experimental.consistent_hash_router:ConsistentHashRouter"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How many processes the application has, and what each may use.

    ``replicas`` of the model at the start; with ``max_replicas``, between ``replicas`` and so many, such that each has
    about ``target_requests`` running. ``cpus`` and ``gpus`` (parts of one, too) are what Ray reserves for a replica.
    A replica runs at most ``most_requests`` at a time; up to ``most_waiting`` more wait, and further ones are
    refused with status 503. ``ingresses`` speak HTTP: one a node is enough. ``allow_hosts`` are names, separated by
    commas, by which clients may call the endpoint (beside localhost and addresses). ``key_digest`` is that of the key
    that they must have ("": none); the key itself is not given to Ray.
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    replicas: int = 1
    max_replicas: int = 0
    # With more than a few at a time each slows the others: a suggestion alone takes some hundred milliseconds.
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
        """Which requests are let in."""
        names = (name.strip().lower() for name in self.allow_hosts.split(","))
        return Guard(self.key_digest, frozenset(filter(None, names)))

    def __post_init__(self) -> None:
        for name in ("replicas", "most_requests", "most_waiting", "ingresses"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1")
        if self.max_replicas and self.max_replicas < self.replicas:
            raise ConfigError("max_replicas is less than replicas")


class Cluster:
    """The replicas, as the endpoint's backend."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._told: tuple[ModelInfo, int] | None = None

    async def told(self) -> tuple[ModelInfo, int]:
        for _ in range(TRIES):
            if self._told is None:
                try:
                    self._told = await self._handle.told.remote()
                except RayTaskError:
                    raise
                except (RayError, DeploymentUnavailableError):
                    continue
            return self._told
        raise ModelUnavailable("no replica of the model answers")

    async def answer(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        said = ""
        for _ in range(TRIES):
            request = replace(asked.request, resume=asked.request.resume + said)
            # a request without an editor goes to any replica
            who = {"session_id": asked.editor} if asked.editor else {}
            handle = self._handle.options(method_name="answer", stream=True, **who)
            stream = handle.remote(replace(asked, request=request))
            try:
                async for chunk in stream:
                    if isinstance(chunk, Failed):
                        raise chunk.error()
                    said += chunk.text
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
        raise ModelUnavailable("the model's replicas went away one after another")


class Ingress:
    """Speaks HTTP."""

    def __init__(self, model: DeploymentHandle[Any], guard: Guard) -> None:
        self._endpoint = Endpoint(Cluster(model), guard)

    async def __call__(self, request: Request) -> Response:
        return await self._endpoint(request)


def application(options: ClusterOptions) -> serve.Application:
    """The application, to be run by `serve.run`."""
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
        # its streams mostly wait; the model's deployment bounds them
        max_ongoing_requests=4 * options.most_waiting,
        ray_actor_options={"num_cpus": 0},
    )
    return ingress.bind(model.bind(options.model), options.guard)


def build(arguments: Mapping[str, str]) -> serve.Application:
    """For `serve run tabspec.cluster.app:build NAME=VALUE…`: the fields of `ClusterOptions` and `ModelOptions`
    (``model`` is the model's name); the key is that of TABSPEC_CLUSTER_KEY. Raises `ConfigError` for a name that is
    none, or a value that is no number."""
    return application(replace(read_options(arguments), key_digest=digest_from_environment()))


def read_options(arguments: Mapping[str, str]) -> ClusterOptions:
    """Options from texts."""
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
            raise ConfigError(f"option {name}: {value!r} is no number") from None
    return ClusterOptions(ModelOptions(**found["model"]), **found["layout"])
