# syntax=docker/dockerfile:1
#
#   docker build --build-arg SERVICE=auth -t taskwire/auth:local .           (or tasks, notifications)
#   docker build --target gateway -t taskwire/gateway:local .
#   docker build --target observer -t taskwire/observer:local .
#
# podman builds it too. Health checks are in docker-compose.yml and k8s/, because images in the OCI format have none.
#
# The services run from their TypeScript sources: Node strips the types, but not under node_modules, so the workspace is
# copied as it is (`pnpm deploy` would put our packages under node_modules). The base image supplies Node: the `node`
# package of the workspace's root is for machines with an older version.

# Exact versions; the version of Node is that of package.json (npm run check compares them). To pin a base to its contents as well, append the digest
# that your registry reports: --build-arg BASE_IMAGE=node:26.10.0-bookworm-slim@sha256:…
ARG BASE_IMAGE=node:26.10.0-bookworm-slim
ARG NGINX_IMAGE=nginx:1.30.5-alpine

# ---- common to all build stages: the manifests, so that dependencies are installed again only when one of them changes ----
FROM ${BASE_IMAGE} AS workspace
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY infra/local/pinned-pnpm.mjs infra/local/pinned-pnpm.mjs
COPY packages packages

# ---- one service with its run-time dependencies -------------------------------------------------------------------------
FROM workspace AS service-build
ARG SERVICE
RUN test -n "${SERVICE}" || { echo "Say which service: --build-arg SERVICE=auth (or tasks, notifications)"; exit 1; }
COPY services/${SERVICE}/package.json services/${SERVICE}/package.json
COPY tools/cli/package.json tools/cli/package.json
# -prod: without the dependencies of tests, such as PostgreSQL. The packages that run in a service need no build step. Source maps and type declarations
# of dependencies are three fifths of their size, and nothing reads them at run time.
RUN --mount=type=cache,id=taskwire-pnpm,target=/pnpm \
    node infra/local/pinned-pnpm.mjs /pnpm/program install --prod --frozen-lockfile --ignore-scripts --store-dir /pnpm --filter-prod "@taskwire/service-${SERVICE}..." --filter-prod "@taskwire/tool-cli..." \
    && rm -r infra packages/process-supervisor \
    && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete
COPY services/${SERVICE} services/${SERVICE}
# the operators' commands, and the modules of infra that they import
COPY tools/cli tools/cli
COPY infra/local/external-servers.ts infra/local/running-file.ts infra/local/
COPY infra/container/health.ts infra/container/health.ts
# Loads every module once, and exits with the names of the missing environment variables. The compile cache from this run makes starts faster, and a
# missing module fails the build. The cache is valid only for the user id that created it.
RUN mkdir .compile-cache && chown 10001:10001 .compile-cache
USER 10001:10001
RUN NODE_COMPILE_CACHE=/app/.compile-cache node services/${SERVICE}/src/main.ts 2>&1 | grep --max-count 1 DATABASE_URL \
    && NODE_COMPILE_CACHE=/app/.compile-cache node tools/cli/image.ts directory --help

# ---- the exporter of the gateway, and the probe ----------------------------------------------------------------------------
FROM workspace AS observer-build
COPY infra/observer/package.json infra/observer/package.json
RUN --mount=type=cache,id=taskwire-pnpm,target=/pnpm \
    node infra/local/pinned-pnpm.mjs /pnpm/program install --prod --frozen-lockfile --ignore-scripts --store-dir /pnpm --filter-prod "@taskwire/observer..." \
    && rm -r infra/local packages/process-supervisor \
    && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete
COPY infra/observer infra/observer
COPY infra/container/health.ts infra/container/health.ts
# as above: a missing module fails the build
RUN for program in gateway-exporter probe; do node infra/observer/run-$program.ts 2>&1 | grep --max-count 1 GATEWAY_URL || exit 1; done

# ---- API reference for the gateway ----------------------------------------------------------------------------------------
FROM workspace AS docs-build
COPY infra/package.json infra/package.json
RUN --mount=type=cache,id=taskwire-pnpm,target=/pnpm \
    node infra/local/pinned-pnpm.mjs /pnpm/program install --prod --frozen-lockfile --ignore-scripts --store-dir /pnpm --filter-prod "@taskwire/infra..."
COPY contracts contracts
COPY infra/gateway infra/gateway
RUN node infra/gateway/docs.ts /docs

FROM ${NGINX_IMAGE} AS gateway
COPY --from=docs-build /docs /usr/share/taskwire/docs
COPY infra/gateway/nginx.conf.template /etc/nginx/templates/nginx.conf.template
COPY --chmod=755 infra/gateway/container/15-cors-origins.envsh infra/gateway/container/16-resolver.envsh /docker-entrypoint.d/
COPY --chmod=755 infra/gateway/container/health.sh /usr/local/bin/gateway-health
# The settings with their defaults; the upstreams have none. infra/gateway/README.md explains them.
# /var/cache/taskwire contains the rendered configuration and temporary files: a tmpfs if the root is read-only.
ENV NGINX_ENVSUBST_OUTPUT_DIR=/var/cache/taskwire \
    NGINX_ENVSUBST_FILTER=^GATEWAY_ \
    NGINX_ENTRYPOINT_LOCAL_RESOLVERS=1 \
    GATEWAY_USER= \
    GATEWAY_WORKERS=2 \
    GATEWAY_RUN_DIR=/var/cache/taskwire \
    GATEWAY_ACCESS_LOG=/dev/stdout \
    GATEWAY_METRICS_LOG= \
    GATEWAY_TRUSTED_PROXY=unix: \
    GATEWAY_LISTEN=8080 \
    GATEWAY_UPSTREAM_OPTIONS=resolve \
    GATEWAY_DOCS_ROOT=/usr/share/taskwire/docs \
    GATEWAY_CORS_ORIGINS= \
    GATEWAY_RATE=100r/s \
    GATEWAY_BURST=200 \
    GATEWAY_LOGIN_RATE=60r/m \
    GATEWAY_LOGIN_BURST=20 \
    GATEWAY_LOGIN_RETRY_AFTER=1 \
    GATEWAY_RUNNING=300 \
    GATEWAY_STREAMS=500 \
    GATEWAY_BODY_BYTES=65536 \
    GATEWAY_AUTH_BODY_BYTES=16384 \
    GATEWAY_TASKS_BODY_BYTES=532480 \
    GATEWAY_JOBS_BODY_BYTES=4194304 \
    GATEWAY_READ_TIMEOUT=30s
# An older runc gives a tmpfs the mode of the folder that it hides, and root as its owner. With a read-only root, podman mounts its own tmpfs over
# /run, where the mode would be lost.
RUN mkdir -p /var/cache/taskwire && chmod 1777 /var/cache/taskwire
USER 101:101
EXPOSE 8080
STOPSIGNAL SIGQUIT
CMD ["nginx", "-e", "stderr", "-c", "/var/cache/taskwire/nginx.conf", "-g", "daemon off;"]

# ---- Node alone: without the package managers of the base image and the links to them, because nothing is installed at run time ----
FROM ${BASE_IMAGE} AS runtime
RUN find /usr/local/bin -type l \( -lname '*/node_modules/*' -o -lname '/opt/yarn-*' \) -delete \
    && rm -rf /usr/local/lib/node_modules /opt/yarn-*

FROM runtime AS observer
COPY --from=observer-build /app /app
WORKDIR /app
# /metrics is for Prometheus in another container; LOG_HOST stays 127.0.0.1
ENV NODE_ENV=production \
    HOST=0.0.0.0
USER 10001:10001
EXPOSE 9145 9146
STOPSIGNAL SIGTERM
# the probe: `node infra/observer/run-probe.ts`
CMD ["node", "infra/observer/run-gateway-exporter.ts"]

# ---- the default target: a service ------------------------------------------------------------------------------------------
FROM runtime AS service
ARG SERVICE
COPY --chmod=755 infra/container/taskwire /usr/local/bin/taskwire
COPY --from=service-build /app /app
WORKDIR /app/services/${SERVICE}
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.compile-cache \
    TASKWIRE_SERVICE=${SERVICE} \
    HOST=0.0.0.0 \
    PORT=3000
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# A small young generation saves 50 MB of memory, and costs no CPU time that can be measured (ADR 35).
# migrations: the same image with `node src/migrate.ts`; operators' commands: `taskwire --help`
CMD ["node", "--max-semi-space-size=8", "src/main.ts"]
