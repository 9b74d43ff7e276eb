# Prints the host of the primary: as the Sentinels say, else the Redis that says so itself, else the first one.
# REDIS_HOSTS, REDIS_PORT, SENTINEL_HOSTS, SENTINEL_PORT, REDISCLI_AUTH are set.
find_primary() {
  for host in $SENTINEL_HOSTS; do
    primary=$(ask "$host" "$SENTINEL_PORT" sentinel get-master-addr-by-name storecast | head -n 1)
    [ -n "$primary" ] && echo "$primary" && return
  done
  for host in $REDIS_HOSTS; do
    [ "$(ask "$host" "$REDIS_PORT" role | head -n 1)" = master ] && echo "$host" && return
  done
  echo "${REDIS_HOSTS%% *}"
}

# Whatever went wrong, there is no answer then. The Sentinels have no password.
ask() {
  (
    [ "$2" = "$SENTINEL_PORT" ] && unset REDISCLI_AUTH
    host=$1 port=$2
    shift 2
    timeout 2 redis-cli -e -h "$host" -p "$port" "$@" 2>/dev/null || true
  )
}
