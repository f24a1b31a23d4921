#!/bin/sh
# Ten million events in the simulator (docs/contribute/simulation.md). Stops at the first failing seed, and prints it.
# Usage: scripts/soak.sh PYTHON [FIRST_SEED]
set -eu
cd "$(dirname "$0")/.."
first="${2:-0}"
exec "${1:-.venv/bin/python}" -m tests.simulation.run --seeds "$first..$((first + 4999))" --events 2000 --processes 0
