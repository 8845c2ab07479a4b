#!/bin/sh
# The health check of the gateway's container: nginx must respond, and must reach each service at its currently resolved address. Only
# docker-compose.yml uses it. Kubernetes probes /health alone, because a gateway without one of its services still serves the others.
for path in /health /.upstream/auth /.upstream/tasks /.upstream/notifications; do
  if ! wget -q -T 2 -O /dev/null "http://127.0.0.1:8080${path}"; then
    echo "${path} does not answer" >&2
    exit 1
  fi
done
