"""The command `tabspec`: runs a subcommand, and turns errors into one line and an exit status.

Exit status: 0 success, 1 something failed while running, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from tabspec.cli.lazy import LazyGroup
from tabspec.errors import InputError, TabspecError
from tabspec.system import processes

# Imported when called: `tabspec --help` imports neither torch nor the language server.
_COMMANDS = {
    "bench": ("tabspec.cli.bench:bench_group", "Measure decoding, KV reuse, the completion cache, the server."),
    "cluster": ("tabspec.cli.cluster:cluster_group", "Serve a model to a team, on Ray Serve (tabspec[cluster])."),
    "complete": ("tabspec.cli.complete:complete_command", "Print one suggestion at a cursor in a file."),
    "daemon": ("tabspec.cli.daemon:daemon_command", "Keep one model in memory for all editors."),
    "doctor": ("tabspec.cli.doctor:doctor_command", "Show what is installed, and what would run."),
    "evaluate": ("tabspec.lab.commands.evaluate:evaluate_command", "Measure a model on held-out code."),
    "export": ("tabspec.lab.commands.export:export_group", "Write a model as GGUF, for llama.cpp and Ollama."),
    "import": ("tabspec.lab.commands.import_:import_group", "Make edit sessions from recordings or git history."),
    "lsp": ("tabspec.cli.lsp:lsp_command", "Run the language server (same as tabspec-lsp)."),
    "replay": ("tabspec.cli.replay:replay_command", "Replay recorded edit sessions and report hit rates."),
    "report": ("tabspec.cli.report:report_command", "Show replay results, or what was recorded, as a table or page."),
    "train": ("tabspec.cli.train:train_command", "Train or tune a model on code."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tabspec", message="tabspec %(version)s")
def tabspec() -> None:
    """Speculative tab-completion: the next suggestion is there before Tab is pressed."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status. Errors are printed as one line."""
    try:
        status = tabspec.main(args=arguments, prog_name="tabspec", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except InputError as error:
        return _fail(str(error), 2)
    except (TabspecError, MemoryError) as error:
        return _fail(str(error) or "out of memory", 1)
    except BrokenPipeError:
        # The reader of the output has gone (`| head`). Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)
    return status if isinstance(status, int) else 0


def _fail(message: str, status: int) -> int:
    print(f"tabspec: {' '.join(message.split())}", file=sys.stderr)
    return status


def main() -> None:
    """Entry point of the command `tabspec`."""
    processes.guard()
    sys.exit(run())


if __name__ == "__main__":
    main()
