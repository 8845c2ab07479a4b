import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { authRoutes, bodyLimitOf, notificationsRoutes, tasksRoutes, type Route } from '@taskwire/contracts';
import { fields } from '@taskwire/env';

/** The gateway's listening address, its upstreams, and its limits. */
export type GatewayOptions = {
  /** The address to listen on; default 127.0.0.1. */
  host?: string;
  port: number;
  /** `host:port` of each service. */
  upstreams: { auth: string; tasks: string; notifications: string };
  /** The folder filled by `assembleDocs`. */
  docsRoot: string;
  /** An existing folder for the pid file, the access log and temporary files. */
  prefixDir: string;
  /** Origins of pages that may call the API with credentials, such as `http://localhost:5173`; default none. Auth has the same list. */
  corsOrigins?: readonly string[];
  /** Requests for each caller's network (an IPv4 address or an IPv6 /64): the steady rate and the size of a burst. */
  requestsPerSecond?: number;
  burst?: number;
  /** The same for log-in, register, refresh and token requests. */
  loginsPerMinute?: number;
  loginBurst?: number;
  /**
   * Concurrent requests of one network, each with two connections of nginx; by default a whole burst plus the requests that may follow it within a
   * second.
   */
  running?: number;
  /** Concurrent event streams of one network. */
  streams?: number;
  /** The maximum silence of a service before nginx times out; seconds. */
  readTimeoutSeconds?: number;
  /** The destination of access log lines; default `access.log` in `prefixDir`. */
  accessLog?: string;
  workers?: number | 'auto';
  /** An address or CIDR whose X-Forwarded-For is trusted; default none. */
  trustedProxy?: string;
};

/**
 * The default limits, also those of the container image (a test compares). One office behind one address must be able to work: 100 requests a second
 * are about 50 busy people; 60 log-ins a minute are a typical morning, and still too few to guess passwords, which the accounts' own limits prevent
 * as well; 500 streams are 100 people with five tabs each.
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
 * Renders nginx's configuration for these options. Start it with `nginx -e stderr -g 'daemon off;' -c <file>`. Throws when a value cannot be written
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
    GATEWAY_TRUSTED_PROXY: o.trustedProxy,
    GATEWAY_LISTEN: `${o.host}:${o.port}`,
    GATEWAY_AUTH: o.upstreams.auth,
    GATEWAY_TASKS: o.upstreams.tasks,
    GATEWAY_NOTIFICATIONS: o.upstreams.notifications,
    // addresses on a developer's machine do not change; containers set both (resolve needs nginx 1.27.3)
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
    GATEWAY_TASKS_BODY_BYTES: String(largestBodyUnder('/api/v1/tasks')),
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
