#!/bin/bash
# Stands before a program of the node and notes, in microseconds, when it began and ended. A begin has
# a line of its own, for the kit kills what takes too long. What the program itself calls is not noted.

real=/usr/lib/clocked
echo "${EPOCHREALTIME/./} begin $$ ${0##*/} $*" >>/var/log/clocked
PATH=$real:$PATH "$real/${0##*/}" "$@"
status=$?
echo "${EPOCHREALTIME/./} end $$" >>/var/log/clocked
exit $status
