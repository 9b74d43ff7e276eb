#!/bin/sh
# Options alone are those of mongod.
case $1 in -*) set -- mongod "$@" ;; esac
exec "$@"
