import { errorText, problem } from '@taskwire/errors';
import type { Logger, Telemetry } from '@taskwire/telemetry';
import { importJWK, type CryptoKey, type JWK } from 'jose';
import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';

/** A source of verification keys. `keyFor` returns undefined for a key id that does not exist. */
export type KeySource = { keyFor(kid: string): Promise<CryptoKey | undefined> };

/** Accepted signature algorithms by type of key; a key never verifies with any other algorithm. */
const algorithms: Readonly<Record<string, string>> = { EC: 'ES256', OKP: 'EdDSA' };

/** The age at which the next request triggers a background refresh of the keys. It is far below the overlap of a key rotation. */
const freshMs = 5 * 60_000;
/** The minimum time between requests caused by unknown key ids: forged ids must not cause a stream of requests. */
const cooldownMs = 5_000;
/** How long keys are trusted while Auth is unavailable. After that, a leaked and withdrawn key must not remain valid. */
const maxAgeMs = 24 * 3_600_000;
const timeoutMs = 3_000;

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })).min(1) });

type Keys = { byId: Map<string, CryptoKey>; at: number };

export type RemoteKeysOptions = {
  url: string;
  telemetry: Telemetry;
  /** Milliseconds, monotonic; injected by tests. */
  now?: () => number;
};

/**
 * The keys of a JWKS endpoint. Fetched keys stay usable during an outage of that endpoint, for at most a day. A key that is no longer listed is
 * removed by the next successful fetch. Sends one request at a time, for any number of callers. (jose's createRemoteJWKSet loses its keys when a
 * reload after `cacheMaxAge` fails.)
 * @throws Problem `unavailable` while no usable keys are known.
 */
export function remoteKeys(options: RemoteKeysOptions): KeySource {
  const now = options.now ?? (() => performance.now());
  const { logger, metrics } = options.telemetry;
  let keys: Keys | undefined;
  let lastAttempt = -Infinity;
  let fetching: Promise<void> | undefined;

  const fetches = new Counter({
    name: 'jwks_fetches_total',
    help: 'Requests for the verification keys, by outcome.',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  new Gauge({
    name: 'jwks_age_seconds',
    help: 'Age of the verification keys; -1 while none are known.',
    registers: [metrics],
    collect() {
      this.set(keys === undefined ? -1 : (now() - keys.at) / 1000);
    },
  });

  function reload(): Promise<void> {
    fetching ??= load().finally(() => {
      fetching = undefined;
    });
    return fetching;
  }

  async function load(): Promise<void> {
    lastAttempt = now();
    try {
      keys = { byId: await fetchKeys(options.url, logger), at: now() };
      fetches.inc({ outcome: 'ok' });
    } catch (error) {
      fetches.inc({ outcome: 'failed' });
      logger.warn('could not fetch the verification keys', {
        error: errorText(error),
        known_keys: keys?.byId.size ?? 0,
      });
    }
  }

  return {
    async keyFor(kid) {
      const age = keys === undefined ? Infinity : now() - keys.at;
      const mayFetch = now() - lastAttempt >= cooldownMs;
      if (age >= maxAgeMs) await (mayFetch ? reload() : fetching);
      else if (!keys?.byId.has(kid)) await (mayFetch ? reload() : fetching);
      else if (age >= freshMs && mayFetch) void reload();
      if (keys === undefined || now() - keys.at >= maxAgeMs) {
        throw problem('unavailable', 'Access tokens cannot be verified right now.', {
          headers: { 'Retry-After': '5' },
        });
      }
      return keys.byId.get(kid);
    },
  };
}

async function fetchKeys(url: string, logger: Logger): Promise<Map<string, CryptoKey>> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(timeoutMs),
    headers: { accept: 'application/json' },
  });
  if (!response.ok) throw new Error(`${url} responded with ${response.status}`);
  const { keys } = jwksSchema.parse(await response.json());
  const byId = new Map<string, CryptoKey>();
  for (const jwk of keys) {
    const key = await toVerificationKey(jwk);
    if (key === undefined)
      logger.warn('ignored a verification key of an unsupported type', { kid: jwk.kid, kty: jwk.kty });
    else byId.set(jwk.kid, key);
  }
  return byId;
}

/** Imports a public JWK as a key that verifies with the one algorithm of its type; undefined for types that are not accepted. */
export async function toVerificationKey(jwk: JWK): Promise<CryptoKey | undefined> {
  const algorithm = algorithms[jwk.kty ?? ''];
  if (algorithm === undefined || (jwk.use !== undefined && jwk.use !== 'sig')) return undefined;
  // drop the private part, in case one is ever published by mistake
  const { d: _private, ...publicPart } = jwk;
  const key = await importJWK(publicPart, algorithm);
  return key instanceof Uint8Array ? undefined : key;
}
