import { tokenResponse } from '@taskwire/contracts';
import { errorText } from '@taskwire/errors';
import { backOffMs, raceAbort, type BackOff } from '@taskwire/lifecycle';
import { failSpan, injectTrace, metricsOnce, withSpan, type Telemetry } from '@taskwire/telemetry';
import { Counter } from 'prom-client';
import { Agent, request, type Dispatcher } from 'undici';
import { clientSecretBasic, type ClientAuthentication } from './client-authentication.ts';
import { clientSpan } from './request-span.ts';
import { createServerClock, type ServerClock } from './server-clock.ts';
import { retryAfterMs } from './retry.ts';

/** The parameters of a token: one audience (RFC 8707), and scopes separated by spaces. */
export type TokenWanted = { audience: string; scope: string };

/** No token is available now. Another call within `retryAfterMs` milliseconds fails with the same error, without a request. */
export class TokenUnavailable extends Error {
  override readonly name = 'TokenUnavailable';
  readonly retryAfterMs: number;
  constructor(detail: string, pauseMs: number, cause?: unknown) {
    super(detail, { cause });
    this.retryAfterMs = pauseMs;
  }
}

/** Access tokens of this service for calls to other services. Create one instance per process. */
export type TokenSource = {
  /**
   * Returns a token that has not expired. Any number of concurrent callers cause one request for each audience and scope; a caller's signal ends only
   * that caller's wait.
   * @throws TokenUnavailable, or the signal's reason.
   */
  get(wanted: TokenWanted, signal?: AbortSignal): Promise<string>;
  /**
   * Reports that a service rejected this token with 401, so that the next `get` fetches another. Takes effect at most once a second for each audience
   * and scope.
   */
  invalidate(token: string): void;
  /** Stops renewals and closes connections; do not call `get` afterwards. */
  close(): Promise<void>;
};

export type M2mTokensOptions = { tokenUrl: string; telemetry: Telemetry } & (
  { clientId: string; clientSecret: string } | { authentication: ClientAuthentication }
);

/** A token request that takes longer has hung, because a response requires only one signature. */
const requestTimeoutMs = 5_000;
/**
 * A token is not used in its last 10 s, or in the last tenth of its lifetime if that is shorter: it must remain valid during the call, and clocks
 * differ slightly.
 */
const expiryMarginMs = 10_000;
/** The first and the longest pause after failures. Callers fail fast in between. */
const failurePause: BackOff = { baseMs: 200, capMs: 10_000, jitter: 'equal' };
/** The minimum time between two invalidations: a service that rejects every token (a wrong audience, a lost key) must not cause a token request for each call. */
const invalidationPauseMs = 1_000;

const tokenRequests = metricsOnce(
  (registry) =>
    new Counter({
      name: 'm2m_token_requests_total',
      help: 'Requests for m2m access tokens by audience and outcome.',
      labelNames: ['audience', 'outcome'],
      registers: [registry],
    }),
);

type Entry = {
  wanted: TokenWanted;
  token?: string;
  expiresAt: number;
  renewAt: number;
  fetching?: Promise<string>;
  failures: number;
  failedWith?: Error;
  notBefore: number;
  usedSinceFetch: boolean;
  invalidatedAt: number;
  timer?: NodeJS.Timeout;
};

/**
 * Obtains tokens with `client_credentials` and keeps each until it expires: while Auth is unavailable, the current token stays in use. Renews a token
 * that is in use in the background, at a random point between 75 and 85 % of its lifetime, so that at the start of an outage at least 15 % of the
 * lifetime is left. If Auth rejects a request because its clock differs from ours, the request is repeated at once by Auth's clock.
 */
export function createM2mTokens(options: M2mTokensOptions): TokenSource {
  const { tokenUrl, telemetry } = options;
  const { logger } = telemetry;
  const authentication =
    'authentication' in options ? options.authentication : clientSecretBasic(options.clientId, options.clientSecret);
  const agent = new Agent({
    connect: { timeout: 2_000 },
    headersTimeout: requestTimeoutMs,
    bodyTimeout: requestTimeoutMs,
  });
  const closing = new AbortController();
  const entries = new Map<string, Entry>();
  const clock = createServerClock(logger);
  const fetches = tokenRequests(telemetry.metrics);

  function entryOf(wanted: TokenWanted): Entry {
    const key = `${wanted.audience} ${wanted.scope}`;
    const known = entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      wanted,
      expiresAt: 0,
      renewAt: 0,
      failures: 0,
      notBefore: 0,
      usedSinceFetch: false,
      invalidatedAt: Number.NEGATIVE_INFINITY,
    };
    entries.set(key, entry);
    return entry;
  }

  async function fetchToken(entry: Entry): Promise<string> {
    const requestedAt = performance.now();
    const { audience } = entry.wanted;
    try {
      const endpoint = { tokenUrl, authentication, agent, clock, signal: closing.signal };
      const { access_token: token, expires_in: lifeSeconds } = await requestToken(endpoint, entry.wanted).catch(
        async (error: unknown) => {
          if (!(error instanceof Rejected) || !clock.adjust(error.serverTime)) throw error;
          return await requestToken(endpoint, entry.wanted);
        },
      );
      const lifeMs = lifeSeconds * 1000;
      entry.token = token;
      entry.expiresAt = requestedAt + lifeMs - Math.min(expiryMarginMs, lifeMs / 10);
      entry.renewAt = requestedAt + lifeMs * (0.75 + 0.1 * Math.random());
      entry.usedSinceFetch = false;
      if (entry.failures > 0) logger.info('access tokens are available again', { audience, failures: entry.failures });
      entry.failures = 0;
      fetches.inc({ audience, outcome: 'ok' });
      renewAtTime(entry, entry.renewAt);
      return token;
    } catch (cause) {
      entry.failures += 1;
      const pauseMs = cause instanceof Rejected && cause.pauseMs !== undefined ? cause.pauseMs : 0;
      entry.notBefore = performance.now() + Math.max(pauseMs, backOffMs(entry.failures, failurePause));
      entry.failedWith = cause as Error;
      fetches.inc({ audience, outcome: 'failed' });
      if (!closing.signal.aborted) {
        logger.warn('could not obtain an access token', {
          audience,
          failures: entry.failures,
          error: errorText(cause),
        });
        renewAtTime(entry, entry.notBefore);
      }
      throw tokenUnavailable(entry);
    }
  }

  function tokenUnavailable(entry: Entry): TokenUnavailable {
    const pauseMs = Math.max(1, Math.ceil(entry.notBefore - performance.now()));
    return new TokenUnavailable(`no access token for ${entry.wanted.audience}`, pauseMs, entry.failedWith);
  }

  function startFetch(entry: Entry): Promise<string> {
    entry.fetching ??= fetchToken(entry).finally(() => {
      delete entry.fetching;
    });
    return entry.fetching;
  }

  /** Renews by a timer, for clients that call rarely: otherwise their token could be old, or expired, at the moment when Auth becomes unavailable. */
  function renewAtTime(entry: Entry, at: number): void {
    clearTimeout(entry.timer);
    // timers fire up to a millisecond early, and a timer that fires before the renewal is due would not be set again
    entry.timer = setTimeout(() => renewIfDue(entry), Math.ceil(at - performance.now()) + 1).unref();
  }

  function renewIfDue(entry: Entry): void {
    const now = performance.now();
    if (!entry.usedSinceFetch || now < entry.renewAt || now < entry.notBefore || closing.signal.aborted) return;
    startFetch(entry).catch(() => undefined);
  }

  return {
    async get(wanted, signal) {
      signal?.throwIfAborted();
      const entry = entryOf(wanted);
      entry.usedSinceFetch = true;
      if (entry.token !== undefined && performance.now() < entry.expiresAt) {
        renewIfDue(entry);
        return entry.token;
      }
      if (entry.fetching === undefined && performance.now() < entry.notBefore) throw tokenUnavailable(entry);
      const token = await raceAbort(startFetch(entry), signal);
      entry.usedSinceFetch = true;
      return token;
    },
    invalidate(token) {
      const now = performance.now();
      for (const entry of entries.values()) {
        if (entry.token !== token || now - entry.invalidatedAt < invalidationPauseMs) continue;
        entry.invalidatedAt = now;
        delete entry.token;
      }
    },
    async close() {
      closing.abort();
      for (const entry of entries.values()) clearTimeout(entry.timer);
      await agent.destroy();
    },
  };
}

/** The token endpoint rejected the request. */
class Rejected extends Error {
  override readonly name = 'Rejected';
  readonly pauseMs: number | undefined;
  /** The time of the response by the server's clock, if it rejected our credentials. */
  readonly serverTime: string | undefined;
  constructor(message: string, details: { pauseMs: number | undefined; serverTime: string | undefined }) {
    super(message);
    this.pauseMs = details.pauseMs;
    this.serverTime = details.serverTime;
  }
}

type Endpoint = {
  tokenUrl: string;
  authentication: ClientAuthentication;
  agent: Dispatcher;
  clock: ServerClock;
  signal: AbortSignal;
};

async function requestToken(
  { tokenUrl, authentication, agent, clock, signal }: Endpoint,
  { audience, scope }: TokenWanted,
): Promise<{ access_token: string; expires_in: number }> {
  const proof = await authentication(tokenUrl, clock.aheadMs());
  const form = { grant_type: 'client_credentials', resource: audience, scope, ...proof.parameters };
  const { origin, pathname } = new URL(tokenUrl);
  const { response, text } = await withSpan(clientSpan('POST', origin, pathname, 1), async (span) => {
    const received = await request(tokenUrl, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...proof.headers,
        ...injectTrace(),
      },
      body: new URLSearchParams(form).toString(),
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
    });
    span.setAttribute('http.response.status_code', received.statusCode);
    if (received.statusCode >= 400) failSpan(span, String(received.statusCode));
    return { response: received, text: await received.body.text() };
  });
  if (response.statusCode !== 200) {
    const fault = oauthError(text);
    const { date, 'retry-after': pause } = response.headers;
    throw new Rejected(`the token endpoint responded with ${response.statusCode} ${fault}`.trim(), {
      pauseMs: retryAfterMs(pause),
      serverTime: fault === 'invalid_client' && typeof date === 'string' ? date : undefined,
    });
  }
  return tokenResponse.pick({ access_token: true, token_type: true, expires_in: true }).parse(JSON.parse(text));
}

/** The `error` member of an OAuth error response (RFC 6749 section 5.2), such as invalid_client. */
function oauthError(text: string): string {
  return /"error"\s*:\s*"([a-z_]{1,50})"/.exec(text)?.[1] ?? '';
}
