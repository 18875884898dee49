#!/bin/sh
# Runs a program on the second node. Its arguments arrive there as they are, whatever is in them.
command=
for word; do
    quoted=
    while :; do
        case $word in *\'*) ;; *) break ;; esac
        quoted="$quoted${word%%\'*}'\\''"
        word=${word#*\'}
    done
    command="$command '$quoted$word'"
done
exec dbclient root@169.254.201.2 "$command"
