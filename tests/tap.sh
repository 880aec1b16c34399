#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes a TAP test of any command: tests/tap.sh NAME COMMAND... passes if the command's status is 0; its output
# becomes comments.
name=$1
shift
echo "1..1"
"$@" 2>&1 | sed 's/^/# /'
status=${PIPESTATUS[0]}
if [ "$status" = 0 ]; then
	echo "ok 1 - $name"
else
	echo "not ok 1 - $name (status $status)"
fi
exit "$status"
