#!/bin/sh
# /usr/local/bin/bkend: the command line with the server's settings, as the server's user
set -a
. /etc/bkend/bkend.env
set +a
runuser -u bkend -- test -r . -a -x . || cd /
exec runuser -u bkend -- /opt/bkend/bin/bkend "$@"
