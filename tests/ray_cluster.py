"""A Ray cluster of two nodes on this machine's loopback, for tests: made, broken, and always taken down again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any
from unittest.mock import patch

from tests.patience import PATIENCE

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray sends no usage statistics
    "RAY_worker_niceness": "0",  # 15 otherwise: beside other tests, a replica hardly gets a processor
    # A machine that has other things to do: what is slow to start or to answer is neither given up nor started anew.
    # Ray's own limits are 5 to 60 s.
    "RAY_gcs_server_port_wait_time_s": f"{PATIENCE:.0f}",
    "RAY_gcs_rpc_server_connect_timeout_s": f"{PATIENCE:.0f}",
    "RAY_gcs_server_request_timeout_seconds": f"{PATIENCE:.0f}",
    "RAY_raylet_start_wait_time_s": f"{PATIENCE:.0f}",
    "RAY_agent_register_timeout_ms": f"{1000 * PATIENCE:.0f}",
    "RAY_worker_register_timeout_seconds": f"{PATIENCE:.0f}",
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": f"{PATIENCE:.0f}",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": f"{PATIENCE:.0f}",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": f"{PATIENCE:.0f}",
}
"""For every Ray that a test starts."""

# Before Ray is imported, which reads them then. A node's death is noticed within a few seconds, where the default is
# half a minute: a check each second fails at once if there is no process, and three may fail. A node that lives but is
# slow to answer is not taken for dead.
os.environ |= SETTINGS | {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_health_check_failure_threshold": "3",
}

OBJECT_STORE = 100 << 20  # bytes; the least that Ray takes is 75 MiB


@dataclass
class TwoNodes:
    """Both nodes claim ``cpus`` processors, whatever the machine has."""

    cluster: Any
    other: Any
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def replicas(self, node: Any, deployment: str = "model") -> list[int]:
        """Process ids of a deployment's replicas on a node: children of its raylet."""
        (raylet,) = (info.process.pid for info in node.all_processes["raylet"])
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                title = (folder / "cmdline").read_bytes().split(b"\0")[0].decode()
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == raylet and title.startswith("ray::ServeReplica") and f":{deployment}" in title:
                    found.append(int(folder.name))
        return sorted(found)

    def remove(self, application: str) -> None:
        """Wait until an application has ended. (Ray's own wait is given up after a minute.)"""
        from ray import serve

        serve.delete(application, _blocking=False)
        until = time.monotonic() + PATIENCE
        while application in serve.status().applications:
            assert time.monotonic() < until, f"{application} does not end"
            time.sleep(0.05)

    def kill_replica(self) -> None:
        """As the kernel does when memory runs out."""
        os.kill(self.replicas(self.cluster.head_node)[0], signal.SIGKILL)

    def kill_other_node(self) -> None:
        """All of its processes, without a word to the others."""
        self.cluster.remove_node(self.other, allow_graceful=False)


@contextmanager
def two_nodes(cpus: int, port: int) -> Iterator[TwoNodes]:
    """Start two nodes and Serve with its proxy on the first."""
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    with ExitStack() as ends:
        folder = _folder(ends)
        each = {"num_cpus": cpus, "num_gpus": 0, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
        each |= {"node_ip_address": "127.0.0.2"}
        cluster = Cluster()
        ends.callback(_quietly, cluster.shutdown)
        cluster.add_node(wait=False, **each, temp_dir=folder)
        cluster.wait_for_nodes(PATIENCE)
        other = cluster.add_node(wait=False, **each)
        cluster.wait_for_nodes(PATIENCE)
        ends.callback(_quietly, ray.shutdown)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        ends.callback(_quietly, serve.shutdown)
        # a minute otherwise, which no setting changes
        for module in ("api", "client"):
            ends.enter_context(patch(f"ray.serve._private.{module}.HTTP_PROXY_TIMEOUT", PATIENCE))
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        yield TwoNodes(cluster, other, port)


def _folder(ends: ExitStack) -> str:
    """A folder for all that Ray writes, the file with the cluster's address included; Ray's default one is
    the user's."""
    # Ray's sockets lie there, and a socket's path has 107 characters at most
    folder = tempfile.mkdtemp(prefix="ts-ray-", dir="/tmp")
    ends.callback(shutil.rmtree, folder, ignore_errors=True)
    ends.callback(_sweep, folder)
    (Path(folder) / "ray").mkdir()
    ends.enter_context(patch.dict(os.environ, RAY_TMPDIR=folder, RAY_AUTH_TOKEN=token_hex(16)))
    return folder


def _quietly(end: Callable[[], object]) -> None:
    """What a node that a test has killed makes fail is no error."""
    with suppress(Exception):
        end()


def _sweep(folder: str) -> None:
    """End what a start that failed has left: Ray's processes name their folder. Workers end with their raylet."""
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if int(process.name) != os.getpid() and folder.encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
