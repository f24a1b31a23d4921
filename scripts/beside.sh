#!/bin/bash
# Run a command while another one runs in the background: tests while the programs that some of them need are installed.
#
#   scripts/beside.sh LOG BACKGROUND... -- COMMAND...
#
# The exit status is the command's. If the background one fails, its log is shown, and the status is 1.
set -uo pipefail
log=$1
shift
background=()
while [ "$1" != -- ]; do
    background+=("$1")
    shift
done
shift
"${background[@]}" >"$log" 2>&1 </dev/null &
beside=$!
trap 'kill "$beside" 2>/dev/null' INT TERM
"$@"
status=$?
wait "$beside" || {
    echo "failed: ${background[*]}; the end of $log:" >&2
    tail -n 20 "$log" >&2
    [ $status -ne 0 ] || status=1
}
exit $status
