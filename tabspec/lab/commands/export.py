"""`tabspec export`: a model in the formats of other programs."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("export")
def export_group() -> None:
    """Write a model in the format of another program."""


@export_group.command("gguf")
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--weights",
    type=click.Choice(["f32", "f16", "bf16", "q8_0", "q4_0"]),
    default="q8_0",
    show_default=True,
    help="Number format of the weights.",
)
@click.option("--name", default="", help="Name of the model in the file.  [default: tabspec-MODEL]")
def gguf_command(model: str, out: Path, weights: str, name: str) -> None:
    """Write MODEL (a folder, `bundled` or `large`) as the GGUF file OUT, for llama.cpp, Ollama and the like."""
    from tabspec.lab.converters.gguf import Weights, export_gguf
    from tabspec.models.load import folder_of

    export_gguf(folder_of(model), out, Weights(weights), name)
    click.echo(f"{out}: {out.stat().st_size / 2**20:.1f} MiB, weights as {weights}")
