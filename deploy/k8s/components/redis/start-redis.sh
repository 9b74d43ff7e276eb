#!/bin/sh
# Starts Redis, as a replica unless it is itself the primary.
set -eu
. "$SCRIPTS/find-primary.sh"
primary=$(find_primary)
umask 077
{
  cat "$SCRIPTS/redis.conf"
  echo "bind $POD_IP"
  echo "port $REDIS_PORT"
  echo "dir $DATA"
  # By name: an address changes with each restart.
  echo "replica-announce-ip $ANNOUNCE_HOST"
  echo "requirepass $REDISCLI_AUTH"
  echo "masterauth $REDISCLI_AUTH"
  [ "$primary" = "$ANNOUNCE_HOST" ] || echo "replicaof $primary $REDIS_PORT"
} >"$CONFIGURATION/redis.conf" # Sentinels have it rewritten
echo "the primary is $primary"
unset REDISCLI_AUTH
exec redis-server "$CONFIGURATION/redis.conf"
