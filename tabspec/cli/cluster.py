"""`tabspec cluster`: our models for a team, as a Ray Serve application."""

from __future__ import annotations

from importlib.util import find_spec

import click

from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.check import check_model
from tabspec.models.files.hub import absolute

# Ray keeps objects between tasks there; we have none, and 100 MiB is near the least that it takes (75).
OBJECT_STORE = 100 << 20


@click.group("cluster")
def cluster_group() -> None:
    """Serve a model to a team: replicas on Ray Serve, with an OpenAI-compatible endpoint (tabspec[cluster])."""


@cluster_group.command("serve")
@click.option("--model", default=None, help="Name, folder or address of a model; the bundled one if none is named.")
@click.option("--device", default="auto", show_default=True, help="torch's name of a device.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, int4 or auto.")
@click.option("--format", "form", default="", help="The model's FIM format, where its tokenizer does not tell it.")
@click.option("--decoder", default="auto", show_default=True, help="own, transformers or auto.")
@click.option("--replicas", type=click.IntRange(1), default=1, show_default=True, help="Copies of the model.")
@click.option("--max-replicas", type=click.IntRange(1), default=None, help="Scale up to so many under load.")
@click.option("--cpus", type=click.FloatRange(0), default=1.0, show_default=True, help="Processors of a replica.")
@click.option("--gpus", type=click.FloatRange(0), default=0.0, show_default=True, help="GPUs of a replica.")
@click.option(
    "--sequences", type=click.IntRange(1), default=32, show_default=True, help="KV kept a replica, in prompts."
)
@click.option("--ingresses", type=click.IntRange(1), default=1, show_default=True, help="HTTP speakers: one a node.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="On which port.")
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="A name by which clients may call it (several times)."
)
@click.option("--address", default=None, help="A Ray cluster that runs already (`auto`: here); else one is started.")
def serve_command(
    model: str | None,
    device: str,
    dtype: str,
    form: str,
    decoder: str,
    replicas: int,
    max_replicas: int | None,
    cpus: float,
    gpus: float,
    sequences: int,
    ingresses: int,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    address: str | None,
) -> int:
    """Serve MODEL until interrupted: editors name it with --model http://HOST:PORT.

    Clients must have the key in TABSPEC_CLUSTER_KEY, if that is set. There is no TLS: listen on other addresses behind
    a proxy that has it. Clients name the server by an address, as localhost, or by a NAME of --allow-host.
    """
    if find_spec("ray") is None:
        raise InputError("Ray is not installed; run: pip install 'tabspec[cluster]'")
    if address is None:  # a cluster that runs already may have the path on its nodes, and not here
        try:
            check_model(model, device=device, dtype=dtype, format=form, decoder=decoder)
        except ModelNotUsable as error:
            raise InputError(str(error)) from None
    from tabspec.cluster.app import ClusterOptions
    from tabspec.cluster.guard import digest_from_environment
    from tabspec.cluster.local import serve_until_interrupted
    from tabspec.cluster.replica import ModelOptions

    options = ClusterOptions(
        ModelOptions(absolute(model), device, dtype, form, decoder, sequences),
        replicas=replicas,
        max_replicas=max_replicas or 0,
        cpus=cpus,
        gpus=gpus,
        ingresses=ingresses,
        allow_hosts=",".join([host, *allow_host]),
        key_digest=digest_from_environment(),
    )
    serve_until_interrupted(options, host, port, address, OBJECT_STORE)
    return 0
