import { jwtAuthenticator, remoteKeys } from '@taskwire/http-server';
import { benchTelemetry } from './bench-telemetry.ts';
import { printFigures } from './figures.ts';
import type { TokensWorld } from './tokens-world.ts';

/** The number of times that a token is repeated in the second part. */
const repeats = 100_000;

/**
 * Measures what it costs a service to authenticate callers, with the authenticator that services use: first with new tokens, then with repeated ones.
 */
export async function measureVerification(world: TokensWorld, tokens: readonly string[]): Promise<void> {
  const telemetry = benchTelemetry();
  const authenticator = jwtAuthenticator({
    issuer: world.issuer,
    audience: 'urn:taskwire:auth',
    keys: remoteKeys({ url: `${world.authUrl}/oidc/jwks`, telemetry }),
    checkUser: async (claims) => await Promise.resolve(claims),
  });
  const [warm, ...fresh] = [...new Set(tokens)].map((token) => `Bearer ${token}`);
  const half = Math.floor(fresh.length / 2);
  for (const header of fresh.slice(0, half)) await authenticator.authenticate(header);
  const first = await each(fresh.slice(half), async (header) => await authenticator.authenticate(header));
  const again = await each(
    Array.from({ length: repeats }, () => warm),
    async (header) => await authenticator.authenticate(header),
  );
  printFigures('a token at a service (aim: below 0.1 ms)', [
    { what: `seen for the first time (of ${fresh.length - half})`, value: `${first.toFixed(4)} ms` },
    { what: 'seen within the last minute', value: `${again.toFixed(4)} ms` },
  ]);
}

/** Milliseconds of CPU per input. */
async function each<T>(inputs: readonly T[], work: (input: T) => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (const input of inputs) await work(input);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / inputs.length;
}
