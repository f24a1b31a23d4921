#!/bin/sh
# Replay two shipped sessions under four policies: once with a model as slow as the ones that people use, and once as
# fast as the bundled one. The suggestions are the bundled model's in both, so that only the waiting differs.
# Prints a table and writes a report. Usage: scripts/demo.sh VENV OUT
set -eu
cd "$(dirname "$0")/.."
venv=$1 out=$2
mkdir -p "$out"
sessions=tabspec/replay/sessions
# 250 edits of each are nine minutes of typing, and less than a minute of computing on two cores.
# The reading time varies: a person who takes 600 ms at the median takes less than 300 ms once in twelve times.
"$venv/bin/tabspec" replay \
    "$sessions"/josephg-rustcode.seg05.jsonl.gz "$sessions"/python-cachetools.jsonl.gz \
    --latency scripts/assistant-latency.json --latency tabspec/models/bundled/latency.json \
    --policy none --policy cache --policy depth1 --policy adaptive \
    --user tab --think-ms 600 --think-jitter 0.5 --limit 250 \
    --json "$out/demo.json" --html "$out/demo.html"
