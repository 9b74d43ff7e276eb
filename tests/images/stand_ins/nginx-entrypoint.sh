#!/bin/sh
# Puts the environment's values in place of the variables that NGINX_ENVSUBST_FILTER lets through, as the public image does.
set -eu
variables=$(env | cut -d= -f1 | grep "$NGINX_ENVSUBST_FILTER" | sed 's/.*/${&}/' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
  envsubst "$variables" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec "$@"
