"""`tabspec cluster`: a model for a team, as a Ray Serve application."""

from __future__ import annotations

from importlib.util import find_spec

import click

from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.check import check_model
from tabspec.models.files.hub import absolute
from tabspec.models.files.large import AUTO

# Ray's store for objects that tasks share. The application shares none; Ray's minimum is 75 MiB.
OBJECT_STORE = 100 << 20


@click.group("cluster")
def cluster_group() -> None:
    """Serve a model to a team: replicas on Ray Serve, with an OpenAI-compatible endpoint (tabspec[cluster])."""


@cluster_group.command("serve")
@click.option("--model", default=None, help="Name, folder or address of a model; the bundled one if none is named.")
@click.option("--device", default="auto", show_default=True, help="torch's name of a device.")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, int4 or auto.")
@click.option("--format", "form", default="", help="The model's FIM format, if it is not recognized by its tokenizer.")
@click.option("--decoder", default="auto", show_default=True, help="own, transformers or auto.")
@click.option("--replicas", type=click.IntRange(1), default=1, show_default=True, help="Copies of the model.")
@click.option("--max-replicas", type=click.IntRange(1), default=None, help="Largest number of copies under load.")
@click.option("--cpus", type=click.FloatRange(0), default=1.0, show_default=True, help="Processors of a replica.")
@click.option("--gpus", type=click.FloatRange(0), default=0.0, show_default=True, help="GPUs of a replica.")
@click.option(
    "--sequences", type=click.IntRange(1), default=32, show_default=True, help="Prompts whose KV cache a replica keeps."
)
@click.option(
    "--ingresses",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="HTTP endpoints, at most one for each node.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Host name that clients may use. May be repeated.")
@click.option("--address", default=None, help="Running Ray cluster (`auto`: the local one)  [default: start one].")
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
    """Serve a model until interrupted. Editors use it with --model http://HOST:PORT.

    If TABSPEC_CLUSTER_KEY is set, clients must send that key. There is no TLS: other machines should connect through a
    proxy that adds it. Clients must name the server by an IP address, by localhost, or by a NAME of --allow-host.
    """
    if find_spec("ray") is None:
        raise InputError("Ray is not installed; run: pip install 'tabspec[cluster]'")
    if model == AUTO:
        raise InputError("--model auto: each replica would choose for itself; name large or bundled")
    if address is None:  # A running cluster may have the model on its nodes only.
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
