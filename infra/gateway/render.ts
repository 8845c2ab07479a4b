import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { authRoutes, bodyLimitOf, notificationsRoutes, tasksRoutes, type Route } from '@taskwire/contracts';
import { fields } from '@taskwire/env';

/** The gateway's listening address, its upstreams, and its limits. */
export type GatewayOptions = {
  /** The address to listen on; default 127.0.0.1. */
  host?: string;
  port: number;
  /** `host:port` of each service, or of each of its replicas. */
  upstreams: Record<'auth' | 'tasks' | 'notifications', string | readonly string[]>;
  /** The folder filled by `assembleDocs`. */
  docsRoot: string;
  /** An existing folder for the pid file, the access log and temporary files. */
  prefixDir: string;
  /** Origins of pages that may call the API with credentials, such as `http://localhost:5173`; default none. Auth has the same list. */
  corsOrigins?: readonly string[];
  /** The limits on requests from each network (an IPv4 address or an IPv6 /64): the steady rate and the size of a burst. */
  requestsPerSecond?: number;
  burst?: number;
  /** The same limits for log-in, registration, refresh and token requests. */
  loginsPerMinute?: number;
  loginBurst?: number;
  /**
   * The maximum number of concurrent requests from one network, each of which uses two connections of nginx. The default is a whole burst plus the
   * requests that may follow it within a second.
   */
  running?: number;
  /** Concurrent event streams of one network. */
  streams?: number;
  /** The time in seconds after which nginx ends a request to a service that sends nothing. */
  readTimeoutSeconds?: number;
  /** The destination of access log lines; default `access.log` in `prefixDir`. */
  accessLog?: string;
  /** `host:port` to which each access log line is also sent, as a datagram in syslog's format; default none. */
  metricsLog?: string;
  workers?: number | 'auto';
  /** An address or CIDR whose X-Forwarded-For is trusted; default none. */
  trustedProxy?: string;
};

/**
 * The default limits, which the container image shares (a test compares them). They must be enough for an office behind one address: 100 requests a
 * second correspond to about 50 busy people, and 500 streams to 100 people with five tabs each. 60 log-ins a minute correspond to a typical morning,
 * and are too few to guess passwords; the limits of each account prevent guessing as well.
 */
export const gatewayDefaults = {
  requestsPerSecond: 100,
  burst: 200,
  loginsPerMinute: 60,
  loginBurst: 20,
  streams: 500,
  readTimeoutSeconds: 30,
} as const;

const template = new URL('nginx.conf.template', import.meta.url);

/**
 * Renders nginx's configuration for these options. Start it with `nginx -e stderr -g 'daemon off;' -c <file>`. Throws if a value cannot be written
 * into the configuration safely.
 */
export function renderGateway(options: GatewayOptions): string {
  return fillIn(readFileSync(template, 'utf8'), variables(options));
}

/** The value of each `${GATEWAY_…}` in the template. */
export function variables(options: GatewayOptions): Record<string, string> {
  const o = { ...gatewayDefaults, host: '127.0.0.1', workers: 2 as const, trustedProxy: 'unix:', ...options };
  for (const folder of [o.docsRoot, o.prefixDir]) {
    if (!isAbsolute(folder)) throw new Error(`nginx needs an absolute path, not ${folder}`);
  }
  for (const origin of o.corsOrigins ?? []) {
    if (!fields.origins.safeParse(origin).success || origin.includes(',')) {
      throw new Error(`${origin} is not an origin (scheme://host[:port])`);
    }
  }
  return {
    // by default, nginx under root runs its workers as another user, who cannot read a checkout under /root; local use only
    GATEWAY_USER: process.getuid?.() === 0 ? 'user root;' : '',
    GATEWAY_WORKERS: String(o.workers),
    GATEWAY_RUN_DIR: o.prefixDir,
    GATEWAY_ACCESS_LOG: o.accessLog ?? `${o.prefixDir}/access.log`,
    GATEWAY_METRICS_LOG: o.metricsLog === undefined ? '' : `access_log syslog:server=${o.metricsLog},nohostname json;`,
    GATEWAY_TRUSTED_PROXY: o.trustedProxy,
    GATEWAY_LISTEN: `${o.host}:${o.port}`,
    GATEWAY_AUTH: servers(o.upstreams.auth),
    GATEWAY_TASKS: servers(o.upstreams.tasks),
    GATEWAY_NOTIFICATIONS: servers(o.upstreams.notifications),
    // addresses on a developer's machine do not change; in containers, both variables are set (resolve needs nginx 1.27.3)
    GATEWAY_RESOLVER: '',
    GATEWAY_UPSTREAM_OPTIONS: '',
    GATEWAY_DOCS_ROOT: o.docsRoot,
    GATEWAY_CORS_ORIGINS: (o.corsOrigins ?? []).join(','),
    GATEWAY_RATE: `${o.requestsPerSecond}r/s`,
    GATEWAY_BURST: String(o.burst),
    GATEWAY_LOGIN_RATE: `${o.loginsPerMinute}r/m`,
    GATEWAY_LOGIN_BURST: String(o.loginBurst),
    GATEWAY_LOGIN_RETRY_AFTER: String(Math.ceil(60 / o.loginsPerMinute)),
    GATEWAY_RUNNING: String(o.running ?? o.burst + o.requestsPerSecond),
    GATEWAY_STREAMS: String(o.streams),
    GATEWAY_BODY_BYTES: String(bodyLimitOf({ path: '/' })),
    GATEWAY_AUTH_BODY_BYTES: String(largestBodyUnder('/api/v1/auth', '/oidc')),
    GATEWAY_TASKS_BODY_BYTES: String(largestBodyUnder('/api/v1/tasks', '/api/v1/schedules')),
    GATEWAY_JOBS_BODY_BYTES: String(largestBodyUnder('/api/v1/jobs')),
    GATEWAY_READ_TIMEOUT: `${o.readTimeoutSeconds}s`,
  };
}

/** The maximum body size of all routes below these paths; the services enforce each route's own limit. */
function largestBodyUnder(...prefixes: string[]): number {
  const tables: Readonly<Record<string, Route>>[] = [authRoutes, tasksRoutes, notificationsRoutes];
  const routes = tables.flatMap((table) => Object.values(table));
  const inside = routes.filter(({ path }) => prefixes.some((prefix) => `${path}/`.startsWith(`${prefix}/`)));
  return Math.max(...prefixes.map((path) => bodyLimitOf({ path })), ...inside.map(bodyLimitOf));
}

/** Replaces variables as envsubst does in the container, but rejects a value that would change the meaning of the surrounding text. */
export function fillIn(text: string, values: Record<string, string>): string {
  return text.replaceAll(/\$\{(GATEWAY_[A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The template of the gateway names ${name}, which has no value`);
    if (/["\\$\n{}]/.test(value)) throw new Error(`${name} has a character that nginx would take as syntax: ${value}`);
    return value;
  });
}

/** The addresses of an upstream, as written in the template. */
function servers(addresses: string | readonly string[]): string {
  return [addresses].flat().join(' max_fails=1 fail_timeout=1s; server ');
}
