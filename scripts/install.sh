#!/bin/sh
# Installs with pip, which tells a lot: a user reads two lines, and the log's end if it fails.
# Usage: scripts/install.sh WHAT LOG COMMAND [ARGUMENT...]
set -eu
what=$1 log=$2
shift 2
begun=$(date +%s)
echo "installing $what (a few minutes the first time) ..."
"$@" >"$log" 2>&1 || {
    status=$?
    tail -n 30 "$log" >&2
    echo "installing $what failed; the whole log: $log" >&2
    exit $status
}
echo "done in $(($(date +%s) - begun)) s"
