#!/bin/sh
# Starts a Sentinel that watches the primary, whichever that is now.
set -eu
. "$SCRIPTS/find-primary.sh"
primary=$(find_primary)
umask 077
{
  echo "bind $POD_IP"
  echo "port $SENTINEL_PORT"
  echo "dir $CONFIGURATION"
  # The same after each restart: to the others, a new one beside the old would count for the majority.
  echo "sentinel myid $(printf %s "$ANNOUNCE_HOST" | sha1sum | cut -c 1-40)"
  echo "sentinel resolve-hostnames yes"
  echo "sentinel announce-hostnames yes"
  echo "sentinel announce-ip $ANNOUNCE_HOST"
  echo "sentinel monitor storecast $primary $REDIS_PORT 2"
  echo "sentinel auth-pass storecast $REDISCLI_AUTH"
  echo "sentinel down-after-milliseconds storecast 3000"
  echo "sentinel failover-timeout storecast 10000"
} >"$CONFIGURATION/sentinel.conf"
echo "the primary is $primary"
unset REDISCLI_AUTH
exec redis-server "$CONFIGURATION/sentinel.conf" --sentinel
