#!/bin/sh
# The parts of the official image's entrypoint that the gateway uses: name servers, scripts of the image, templates.
set -eu
if [ "${NGINX_ENTRYPOINT_LOCAL_RESOLVERS:-}" ]; then
  NGINX_LOCAL_RESOLVERS=$(awk '$1 == "nameserver" { printf "%s%s", separator, ($2 ~ /:/ ? "[" $2 "]" : $2); separator = " " }' /etc/resolv.conf)
  export NGINX_LOCAL_RESOLVERS
fi
for script in /docker-entrypoint.d/*.envsh; do
  if [ -x "$script" ]; then . "$script"; fi
done
# $ and { are for envsubst
names=$(env | sed -n 's/=.*//p' | grep -E "${NGINX_ENVSUBST_FILTER:-.}" | sed 's/.*/${&}/' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
  [ -e "$template" ] || continue
  envsubst "$names" <"$template" >"${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}/$(basename "$template" .template)"
done
exec "$@"
