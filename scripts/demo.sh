#!/bin/sh
# Replay two shipped sessions under five policies with the bundled model; print the table, write the report.
# Usage: scripts/demo.sh VENV OUT
set -eu
cd "$(dirname "$0")/.."
venv=$1 out=$2
mkdir -p "$out"
sessions=tabspec/replay/sessions
# 300 edits of each are about two minutes of typing: enough for a picture, and a minute or two of computing.
"$venv/bin/tabspec" replay \
    "$sessions"/vscode-ts-customized-tests.test.ts.jsonl.gz "$sessions"/*python*.jsonl.gz \
    --policy none --policy cache --policy depth1 --policy chain --policy adaptive \
    --user tab --think-ms 600 --limit 300 \
    --json "$out/demo.json" --html "$out/demo.html"
