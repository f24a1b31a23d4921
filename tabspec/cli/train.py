"""`tabspec train`: training, from source code to a model folder. Most commands are in `tabspec.train.commands`."""

from __future__ import annotations

import click

from tabspec.cli.lazy import LazyGroup

_TRAIN = "tabspec.train.commands"
_COMMANDS = {
    "additions": (f"{_TRAIN}.reinforce:additions_command", "Write what successive releases of packages added."),
    "corpus": (f"{_TRAIN}.corpus:corpus_command", "Build a corpus from folders and packages."),
    "drafts": (f"{_TRAIN}.models:drafts_command", "Write a table of frequent token sequences for a model."),
    # it also writes what the laboratory measures with, which training does not import
    "edits": ("tabspec.lab.commands.train_edits:edits_command", "Build the data of a model that writes edits."),
    "export": (f"{_TRAIN}.models:export_command", "Write a model folder from another one, or from a run."),
    "fetch": (f"{_TRAIN}.corpus:fetch_command", "Fetch packages as material for a corpus."),
    "mine": (f"{_TRAIN}.mine:mine_command", "Tune the bundled model on your own recorded sessions."),
    "reinforce": (f"{_TRAIN}.reinforce:reinforce_command", "Improve a model by what a simulated user would take."),
    "run": (f"{_TRAIN}.run:run_command", "Train a new model, or tune an existing one."),
    "stop": (f"{_TRAIN}.models:stop_command", "Fit a model's end-of-middle token, so that it stops in time."),
    "tokenizer": (f"{_TRAIN}.corpus:tokenizer_command", "Train a tokenizer."),
}


@click.group("train", cls=LazyGroup, lazy=_COMMANDS)
def train_command() -> None:
    """Train or tune a model on code.

    On your own code, in one step: `tabspec train run --code DIR --out DIR --start bundled --minutes 30`. The other
    commands are the single steps, for larger corpora. On your own recordings: `tabspec train mine`.
    """
