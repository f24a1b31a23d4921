"""Starts and stops the application from the command line, on a running Ray cluster or on a new local one."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading

import click

from tabspec.cluster.app import ClusterOptions, application
from tabspec.cluster.guard import warnings
from tabspec.errors import InputError
from tabspec.system import processes


def serve_until_interrupted(
    options: ClusterOptions, host: str, port: int, address: str | None, object_store: int
) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop the application and the Ray cluster if this call started it.

    ``object_store`` is the size in bytes of the object store of a new Ray cluster.

    Raises `InputError` if there is no cluster at ``address``, or the model does not load.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends no usage statistics
    import ray
    from ray import serve

    # Ray runs its workers in the working directory of the process that starts it, and imports modules from there.
    os.chdir(processes.FOLDER)
    if address is None:
        os.umask(0o077)  # Ray's logs may quote requests, so only this user may read them
    own = {} if address else {"include_dashboard": False, "object_store_memory": object_store}
    if address is None:  # a new cluster may run all replicas, even on a machine with fewer processors
        own["num_cpus"] = max(
            os.cpu_count() or 1, round(options.cpus * max(options.replicas, options.max_replicas) + 1)
        )
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except ConnectionError as error:
        raise InputError(f"no Ray cluster at {address}: {error}") from None
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        # EveryNode: each node with an ingress or a replica listens, so a load balancer can use any of them
        # Ray waits for a minute until its HTTP server listens; `run` waits again
        with contextlib.suppress(TimeoutError):
            serve.start(proxy_location="EveryNode", http_options={"host": host, "port": port})
        try:
            serve.run(application(options), route_prefix="/")
        except TimeoutError:
            raise InputError(f"Ray does not listen at {host}:{port}. Ray's logs have the details.") from None
        except RuntimeError as error:
            raise InputError(f"the model does not start: {_last_line(error)} Ray's logs have the details.") from None
        for line in warnings(host, options.guard, ray_token=os.environ.get("RAY_AUTH_MODE", "").lower() == "token"):
            click.echo(f"warning: {line}", err=True)
        click.echo(f"serving {options.model.name or 'the bundled model'} at http://{host}:{port}; Ctrl-C stops it")
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
    finally:
        with contextlib.suppress(Exception):
            serve.shutdown()
        ray.shutdown()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
