import autocannon from 'autocannon';
import { median, perSecond, printFigures, type Figure } from './figures.ts';
import { measureLogins } from './tokens-logins.ts';
import { measureVerification } from './tokens-verification.ts';
import { startTokensWorld, type TokenServer, type TokensWorld } from './tokens-world.ts';

const rounds = 3;
const secondsPerRound = 6;
/** Enough to keep a process busy; more connections would only queue. */
const connections = 16;
/**
 * Ten times Keycloak's planning figure: "for every 120 client credential grants per second, 1 vCPU", in "Sizing CPU and memory" of
 * https://www.keycloak.org/high-availability/single-cluster/concepts-memory-and-cpu-sizing
 */
const aim = 1_200;

/**
 * Measures the token endpoint of the running Auth (signatures, PostgreSQL, logs, metrics) against a bare node:http server with the same signatures,
 * alternately. Also measures the cost of verifying a token in a service, and the effect of log-ins on other requests.
 */
export async function measureTokens(): Promise<void> {
  console.log(`tokens: client_credentials, ${rounds} × ${secondsPerRound} s, ${connections} connections`);
  const world = await startTokensWorld();
  try {
    const tokens = await measureGrants(world);
    await measureVerification(world, tokens);
    await measureLogins(world);
  } finally {
    await world.stop();
  }
}

/** Measures token grants; returns the tokens of the last round. */
async function measureGrants(world: TokensWorld): Promise<string[]> {
  const withKey = { grant_type: 'client_credentials', client_assertion_type: assertionType };
  const assertionBody = () => new URLSearchParams({ ...withKey, client_assertion: world.assertion() }).toString();
  const secretBody = new URLSearchParams({ grant_type: 'client_credentials' }).toString();
  const runs = {
    ceiling: async (seconds: number) => await load(world.bare, seconds, assertionBody),
    private_key_jwt: async (seconds: number) => await load(world.auth, seconds, assertionBody),
    client_secret_basic: async (seconds: number) =>
      await load(world.auth, seconds, () => secretBody, { authorization: world.basic }),
  };
  const names = ['ceiling', 'private_key_jwt', 'client_secret_basic'] as const;
  const measured: Record<(typeof names)[number], Load[]> = {
    ceiling: [],
    private_key_jwt: [],
    client_secret_basic: [],
  };
  // warm up: compiled code, plans and connections
  for (const name of names) await runs[name](3);
  for (let round = 0; round < rounds; round++) {
    for (const name of names) measured[name].push(await runs[name](secondsPerRound));
  }
  const perCore = (name: (typeof names)[number]) => median(measured[name].map((one) => one.grants / one.cpuSeconds));
  const top = perCore('ceiling');
  printFigures(`client_credentials (median of the rounds; aim ${aim} per CPU second of Auth)`, [
    ...names.flatMap((name): Figure[] => [
      {
        what: `${name === 'ceiling' ? 'ceiling: node:http + node:crypto' : name}, per CPU second`,
        value: perSecond(perCore(name), 'grants'),
        ...(name === 'ceiling' ? {} : { ratio: perCore(name) / top }),
      },
      { what: '  by the clock', value: perSecond(median(measured[name].map((one) => one.rate)), 'grants') },
      { what: '  CPU for a grant', value: `${(1000 / perCore(name)).toFixed(2)} ms` },
      { what: '  p99', value: `${median(measured[name].map((one) => one.p99))} ms` },
    ]),
  ]);
  return measured.private_key_jwt.at(-1)?.tokens ?? [];
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

type Load = { grants: number; rate: number; cpuSeconds: number; p99: number; tokens: string[] };

async function load(
  server: TokenServer,
  seconds: number,
  body: () => string,
  headers: Record<string, string> = {},
): Promise<Load> {
  // created in advance, so that signing them takes no CPU time from the server; their number exceeds what any machine can use
  const bodies = Array.from({ length: seconds * maxPerSecond }, body);
  let next = 0;
  const tokens: string[] = [];
  const before = await server.cpuSeconds();
  const result = await autocannon({
    url: server.tokenUrl,
    method: 'POST',
    connections,
    duration: seconds,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    requests: [
      {
        setupRequest: (request) => ({ ...request, body: bodies[next++ % bodies.length] ?? '' }),
        onResponse: (_status, text) => void (tokens.length < 2_000 && tokens.push(text)),
      },
    ],
  });
  const cpuSeconds = (await server.cpuSeconds()) - before;
  const failed = result.errors + result.timeouts + result.non2xx;
  if (failed > 0) throw new Error(`${failed} of ${result.requests.total} token requests failed`);
  const grants = result.requests.total;
  return {
    grants,
    rate: grants / result.duration,
    cpuSeconds,
    p99: result.latency.p99,
    tokens: tokens.map((text) => (JSON.parse(text) as { access_token: string }).access_token),
  };
}

const maxPerSecond = 5_000;
