#!/bin/sh
# Runs the cases that vm-test names, each as a process of its own: one that hangs or dies takes no other with it.
# It is asked on the console, and answers there.
stty -F /dev/console -echo
export FAULT_MATRIX=/tmp/fault-matrix
status=0
[ -n "$KILL_POINTS" ] && limit=14400 || limit=800
while echo NEXT && read -r case </dev/console && [ "$case" ]; do
    if timeout --kill-after=5 $limit /suite/vm --exact "$case" --nocapture >/tmp/case.log 2>&1 </dev/null; then
        grep '^FIGURE ' /tmp/case.log
        echo "CASE $case ok"
    else
        status=1
        echo "CASE $case FAILED"
        sed 's/^/LOG /' /tmp/case.log
    fi
done
cat "$FAULT_MATRIX"/*.jsonl 2>/dev/null | sed 's/^/ROW /'
exit $status
